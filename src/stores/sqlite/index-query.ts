import { parseQuery, type SearchQuery, type Term } from '#journal'
import { roleToken, sessionToken, tenantToken } from './index-entries.ts'

/** Where to look, in surrogates. */
export interface Scope {
  readonly tenant: number
  readonly session: number | undefined
  readonly roles: readonly string[] | undefined
}

/**
 * A query as FTS5 reads it: `text` for the words, `all` with the scope, too. There is at least one term that is not negated.
 * Words are letters and digits, so quoting them is all the escaping there is. Source: sqlite.org/fts5.html 3.
 */
export function indexQuery(query: SearchQuery, scope: Scope): { readonly all: string; readonly text: string } {
  const terms = parseQuery(query.query)
  const wanted = terms.filter(term => !term.negated).map(phrase)
  const unwanted = terms.filter(term => term.negated).map(phrase)
  const positive = `(${wanted.join(query.match === 'any' ? ' OR ' : ' AND ')})`
  const words = unwanted.length === 0 ? positive : `(${positive} NOT (${unwanted.join(' OR ')}))`
  const text = `text : ${words}`
  const places = [`"${tenantToken(scope.tenant)}"`]
  if (scope.session !== undefined) places.push(`"${sessionToken(scope.session)}"`)
  if (scope.roles !== undefined) places.push(`(${scope.roles.map(role => `"${roleToken(role)}"`).join(' OR ') || '"none"'})`)
  return { all: `(scope : (${places.join(' AND ')})) AND (${text})`, text }
}

const phrase = ({ words, prefix }: Term): string => `"${words.join(' ')}"${prefix ? ' *' : ''}`
