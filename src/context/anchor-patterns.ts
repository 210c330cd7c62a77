import type { AnchorKind } from '#journal'

/**
 * What is recognised across words. Each pattern is bounded or has one way to match, so that a text is read in linear time;
 * none asks for a space, so that they also hold in Chinese or Japanese.
 */
const number = String.raw`\d{1,15}(?:[,_]\d{3}){0,5}(?:\.\d{1,9})?`
const longUnits =
  '%|‰|ms|µs|us|ns|secs?|seconds?|mins?|minutes?|hrs?|hours?|days?|weeks?|months?|years?|[kKMGTP]i?B|bytes?|bits?|[kMG]bps|px|r?em|' +
  'pt|[kMG]?Hz|rpm|rps|qps|tps|fps|[kM]W|kWh|[mk]V|mA|[kmcµ]m|[km]g|lbs?|oz|mi|°[CF]|USD|EUR|GBP|CNY|JPY|dollars?|euros?|cents?|' +
  'tokens?|lines?|files?|rows?|entries|requests?|retries|connections?|users?|items?|times|people|million|billion|thousand|bn'
const shortUnits = '[shmdgwxKkMBVAW]'
const eastUnits =
  '小时|小時|時間|分钟|分鐘|毫秒|公里|公斤|[元円圆个個人天日周週月年分秒倍行件次万萬亿億台页頁名]|시간|[개원초분명]'
const month = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)[a-z]{0,6}'
const monthHint = /[JFMASOND][aepuco][nbrylgptvc]/

export const urlPattern: RegExp = /(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{1,15}:\/\/[!#-&(-;=?-[\]_a-z~]{1,2048}/g
export const quotedPattern: RegExp = /`([^`\n]{1,80})`/g
export const windowsPathPattern: RegExp =
  /(?<![A-Za-z0-9])[A-Za-z]:(?:\\\\?[^\s\\/"'<>|:*?,;()\u3000-\u303f\uff00-\uffef]{1,255})+/g

export interface SpanPattern {
  readonly kind: AnchorKind
  readonly pattern: RegExp
  /** What every text has in which the pattern is found; quickly looked for. */
  readonly hint: RegExp
}

export const spanPatterns: readonly SpanPattern[] = [
  {
    kind: 'date',
    pattern: /(?<![\w./-])\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?(?![\w/-]|\.\w)/g,
    hint: /-\d\d-\d/,
  },
  { kind: 'date', pattern: /(?<![\w/.])\d{1,4}\/\d{1,2}\/\d{1,4}(?![\w/])/g, hint: /\/\d{1,2}\// },
  { kind: 'date', pattern: /(?:\d{2,4}年)?\d{1,2}月\d{1,2}[日号號]/g, hint: /月\d/ },
  {
    kind: 'date',
    pattern: new RegExp(String.raw`(?<!\w)${month}\.? \d{1,2}(?:st|nd|rd|th)?(?:,? \d{4})?(?!\w)`, 'g'),
    hint: monthHint,
  },
  {
    kind: 'date',
    pattern: new RegExp(String.raw`(?<!\w)\d{1,2}(?:st|nd|rd|th)? ${month}(?:,? \d{4})?(?!\w)`, 'g'),
    hint: monthHint,
  },
  { kind: 'quantity', pattern: new RegExp(String.raw`(?<![\w.,])[$€£¥]${number}(?:[KkMB](?!\w)|(?!\w))`, 'g'), hint: /[$€£¥]\d/ },
  {
    kind: 'quantity',
    pattern: new RegExp(String.raw`(?<![\w.,])${number}(?: ?(?:${longUnits})|${shortUnits})(?!\w)`, 'g'),
    hint: /\d/,
  },
  { kind: 'quantity', pattern: new RegExp(String.raw`(?<![\w.,])${number} ?(?:${eastUnits})`, 'g'), hint: /\d ?[^\0-\x7f]/ },
  {
    kind: 'error',
    pattern: /(?<!\w)(?:[Ee]xit (?:code|status)|HTTP|[Ss]tatus|[Ee]rror(?: code)?) ?\d{1,5}(?!\w)/g,
    hint: /(?:HTTP|tatus|rror|code) ?\d/,
  },
  { kind: 'issue', pattern: /(?<![\w&#/])#\d{1,7}(?!\w)/g, hint: /#\d/ },
]

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const issue = /^(?:[\w.-]{1,100}\/[\w.-]{1,100}#\d{1,7}|(?!(?:UTF|SHA|ISO|RFC|MD|AES|RSA|GPT)-)[A-Z][A-Z0-9]{1,9}-\d{1,7})$/
const error =
  /^(?:E(?:ACCES|ADDRINUSE|AGAIN|BADF|BUSY|CONN[A-Z]+|EXIST|FAULT|HOST[A-Z]+|INVAL|IO|ISDIR|MFILE|NET[A-Z]+|NOENT|NOMEM|NOSPC|NOSYS|NOTCONN|NOTDIR|NOTEMPTY|NOTFOUND|PERM|PIPE|PROTO|RANGE|ROFS|TIMEDOUT|XDEV)|(?:ERR|E)_[A-Z0-9_]+|[A-Z][A-Z0-9]*_(?:[A-Z0-9]+_)*(?:ERR|ERROR|BUSY|LOCKED|FAILED|FAILURE|DENIED|INVALID|TIMEOUT|EXCEEDED|REFUSED|NOT_FOUND|FULL|CORRUPT)|[A-Z]{1,4}-?\d{3,6}|CVE-\d{4}-\d{4,7}|SIG[A-Z]{3,6}|[A-Z][A-Za-z]{2,60}(?:Error|Exception))$/
const version = /^v\d{1,6}(?:\.\d{1,6}){0,3}(?:-[0-9A-Za-z.]{1,40})?$|^\d{1,6}(?:\.\d{1,6}){2,3}(?:[-+][0-9A-Za-z.]{1,40})?$/
const hash =
  /^(?=.{0,127}\d)(?:(?=.{0,127}[a-f])(?:[0-9a-f]{7,64}|[0-9a-f]{96}|[0-9a-f]{128})|(?=.{0,63}[A-F])[0-9A-F]{7,64})$|^0x[0-9a-fA-F]{4,64}$/
const identifier = /^(?=.{0,127}\d)(?=.{0,127}[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]{4,126}[A-Za-z0-9]$/

const fileEndings =
  'tsx?|[cm]?[jt]s|jsx|jsonl?|jsonc|mdx?|py|pyi|ipynb|rs|go|java|kts?|swift|scala|c|cc|cpp|cxx|h|hh|hpp|cs|rb|php|pl|lua|sh|bash|zsh|' +
  'fish|ps1|bat|sql|ya?ml|toml|ini|cfg|conf|lock|txt|rst|csv|tsv|xml|html?|s?css|less|svg|png|jpe?g|gif|webp|pdf|docx?|xlsx?|pptx?|' +
  'log|gz|tgz|tar|zip|db|sqlite3?|parquet|proto|graphql|vue|svelte|tf|exe?|dll|so|wasm|patch|diff|pem|crt|key'
const fileName = new RegExp(String.raw`^[\w@+~-][\w.@+~-]{0,120}\.(?:${fileEndings})$`)
const plainFile = /^(?:Makefile|Dockerfile|Gemfile|Procfile|\.env(?:\.[\w-]+)?|\.[a-z]{2,20}(?:rc|ignore|config|attributes))$/
/** They end like a file and are none. */
const notFile =
  /^(?:node|next|vue|nuxt|react|express|three|d3|p5|ember|chart|console|logger|math|document|window|res|response|req|request)\.[a-z]+$/i
const segments = /^(?:~|\.{1,2}|[A-Za-z]:)?\/?(?:[\p{L}\p{N}_.@+~%$-]{1,255}\/){0,60}[\p{L}\p{N}_.@+~%$-]{1,255}\/?$/u
const ending = /\.[A-Za-z][A-Za-z0-9]{0,9}$/

/** A file or a folder: rooted, or of three parts, or with a file's ending; `and/or`, `24/7` and `Node.js` are none. */
export function isPath(token: string): boolean {
  if (!token.includes('/')) return (fileName.test(token) && !notFile.test(token)) || plainFile.test(token)
  if (!segments.test(token) || !/[\p{L}]/u.test(token)) return false
  const parts = token.split('/').filter(Boolean)
  const last = parts.at(-1) ?? ''
  if (/^(?:~|\.{1,2})\//.test(token)) return parts.length > 1
  return ending.test(last) || last.startsWith('.') || parts.length > (token.startsWith('/') || token.endsWith('/') ? 1 : 2)
}

/** What a single word is, if it is worth keeping to the letter. */
export function kindOf(token: string): AnchorKind | undefined {
  if (token.length < 2 || token.length > 1_024) return undefined
  if (uuid.test(token)) return 'uuid'
  if (issue.test(token)) return 'issue'
  if (error.test(token)) return 'error'
  if (version.test(token)) return 'version'
  if (hash.test(token)) return 'hash'
  if (isPath(token)) return 'path'
  return identifier.test(token) ? 'identifier' : undefined
}
