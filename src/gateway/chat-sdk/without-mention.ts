/** A text without the mentions of the bot that it begins with, by any of its names; as it is where nothing else is said. */
export function withoutMention(text: string, names: readonly (string | undefined)[]): string {
  const known = names.flatMap(name => (name === undefined || name === '' ? [] : [name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')]))
  if (known.length === 0) return text
  // The longest first: one may begin another.
  known.sort((a, b) => b.length - a.length)
  const mentions = new RegExp(`^(?:\\s*<?@(?:${known.join('|')})(?![\\w-])>?[,:]?)+\\s*`, 'i')
  const rest = text.replace(mentions, '')
  return rest.trim() === '' ? text : rest
}
