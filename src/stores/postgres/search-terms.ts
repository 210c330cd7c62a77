import { parseQuery, type SearchQuery, searchWords, type Term } from '#journal'

/** Longer words stand in the index by their beginning; what they match is looked at again anyway. */
const indexedWord = 256
/** More words, or more of them by size, make no index row: such an entry is looked at for every query. */
const maxWordBytes = 400_000

/** Lexemes that no word can be: a colon is no letter. They tie an index of all tenants to one tenant and session. */
export const tenantLexeme = (tenant: string): string => `t:${tenant}`
export const sessionLexeme = (session: string): string => `s:${session}`

/** What of a text goes into the index; nothing when it is too much for one row. */
export function indexWords(text: string): string[] | undefined {
  const words = [...new Set(searchWords(text).map(word => word.slice(0, indexedWord).toWellFormed()))]
  const bytes = words.reduce((sum, word) => sum + Buffer.byteLength(word) + 8, 0)
  return bytes > maxWordBytes ? undefined : words
}

/**
 * A tsquery that finds every entry that can match, and hardly any other: pieces of phrases are looked for by themselves,
 * order and neighbourhood are judged by `findIn`. Nothing is wanted where nothing is asked for.
 */
export function candidatesQuery(tenant: string, query: SearchQuery): string | undefined {
  const terms = parseQuery(query.query)
  const wanted = terms.filter(term => !term.negated)
  if (wanted.length === 0) return undefined
  const positive = wanted.map(termQuery).join(query.match === 'any' ? ' | ' : ' & ')
  const unwanted = terms.filter(term => term.negated && isExact(term)).map(term => `!(${termQuery(term)})`)
  const scope = [quote(tenantLexeme(tenant)), ...(query.session === undefined ? [] : [quote(sessionLexeme(query.session))])]
  return [...scope, `(${positive})`, ...unwanted].join(' & ')
}

function termQuery({ words, prefix }: Term): string {
  const parts = words.map(
    (word, index) => `${quote(word.slice(0, indexedWord).toWellFormed())}${prefix && index === words.length - 1 ? ':*' : ''}`,
  )
  return `(${parts.join(' & ')})`
}

/** Whether the index alone knows if an entry holds the term. */
const isExact = ({ words }: Term): boolean => words.length === 1 && (words[0] ?? '').length < indexedWord

// Words are letters, digits and marks, so none holds a quote or a backslash.
const quote = (word: string): string => `'${word}'`
