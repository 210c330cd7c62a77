// Postgres text is UTF-8 without U+0000, so it can hold neither that nor half a surrogate pair.
const unstorable = /[\0\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g
const escaped = /\uffff([0-9a-f]{4})/g

/** Any string as text that Postgres can hold: what it can't stands as U+FFFF and four hex digits. Order stays for all other text. */
export function toText(value: string): string {
  return value.replace(unstorable, unit => `\uffff${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The inverse of `toText`. */
export function fromText(text: string): string {
  return text.includes('\uffff') ? text.replace(escaped, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))) : text
}

export const toTextOrNull = (value: string | null): string | null => (value === null ? null : toText(value))
export const fromTextOrNull = (text: string | null): string | null => (text === null ? null : fromText(text))
