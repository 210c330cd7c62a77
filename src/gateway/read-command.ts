/** What a chat can ask of the gateway itself. */
export const commandNames = [
  'new',
  'reset',
  'stop',
  'resume',
  'sessions',
  'title',
  'retry',
  'undo',
  'compact',
  'status',
  'help',
] as const
export type CommandName = (typeof commandNames)[number]

export interface Command {
  readonly name: CommandName
  /** What stands behind the name, trimmed. */
  readonly rest: string
}

const isName = (word: string): word is CommandName => (commandNames as readonly string[]).includes(word)
const commandShape = /^\/([a-z]+)(?:@[\w.-]{1,64})?(?:\s+([\s\S]*))?$/i

/**
 * Reads a message as a command, or as none: in any case, also addressed to a bot (`/status@bot`), with dashes as telephones write
 * them. `resetTriggers` are whole texts that begin afresh, beside `/new` and `/reset`; one with a slash may be followed by a title.
 */
export function readCommand(text: string, resetTriggers: readonly string[] = []): Command | undefined {
  const said = text.trim()
  const folded = said.toLowerCase()
  for (const trigger of resetTriggers) {
    const asked = trigger.trim().toLowerCase()
    if (asked !== '' && folded === asked) return { name: 'reset', rest: '' }
    if (asked.startsWith('/') && folded.startsWith(`${asked} `)) return { name: 'reset', rest: said.slice(asked.length).trim() }
  }
  const [, word = '', rest = ''] = commandShape.exec(said) ?? []
  const name = word.toLowerCase()
  return isName(name) ? { name, rest: rest.replaceAll(/(?<=^|\s)—(?=\S)/gu, '--').trim() } : undefined
}
