/**
 * Content inside `<tag …>` and `</tag>`, which it can neither close nor open anew: a `<` before what `tags` names becomes
 * `&lt;`. Everything else stays to the letter. Law C28.
 */
export function fenced(
  tag: string,
  attributes: Readonly<Record<string, string | number>>,
  content: string,
  tags: RegExp,
): string {
  const named = Object.entries(attributes).map(([name, value]) => ` ${name}="${value}"`)
  const body = content.includes('<') ? content.replace(tags, '&lt;') : content
  return `<${tag}${named.join('')}>\n${body}${body === '' || body.endsWith('\n') ? '' : '\n'}</${tag}>`
}

/** Finds a `<` that begins or ends one of these, also in other case, behind blanks or behind invisible characters. */
export function tagsOf(...names: readonly string[]): RegExp {
  // One class for all that may stand between, so that no run of blanks is read twice.
  return new RegExp(String.raw`<(?=[\s/\p{Cf}]*(?:${names.join('|')}))`, 'giu')
}

/** ISO 8601 in UTC, to the second; what is no time is told so. */
export function isoTime(at: number): string {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? 'unknown' : date.toISOString().replace(/\.\d{3}Z$/, 'Z')
}
