import type { Json } from '#kernel'
import { type TokenCounter, weightsCounter } from './count-tokens.ts'
import { bareType, isBinary, isTextType, textOf } from './file-tokens.ts'
import { imageSize } from './image-size.ts'
import { type CodeLanguage, outlineCode } from './outline-code.ts'
import { outlineCsv } from './outline-csv.ts'
import { outlineJson, outlineValue } from './outline-json.ts'
import { fitLines, shortLine } from './outline-lines.ts'
import { outlineMarkdown } from './outline-markdown.ts'
import { outlineText } from './outline-text.ts'
import { pdfPages } from './pdf-pages.ts'

export const outlineTokens = 400

/** What is known of content beside itself: a file's name, or a tool's, and its media type. */
export interface ContentHints {
  readonly name?: string
  readonly mediaType?: string
  /** What the content says as JSON, where that is at hand. */
  readonly json?: Json
}

/**
 * What large content is made of, in at most 400 tokens: keys of JSON, columns of CSV, headings of Markdown, imports and
 * declarations of code, the ends and errors of other text, type and size of anything else. Never throws, takes time linear in
 * the content; where a shape can't be read, it is outlined as text. Source: spec/context.md 4, law C49.
 */
export function outlineOf(
  content: Uint8Array | string,
  hints: ContentHints = {},
  counter: TokenCounter = weightsCounter,
): string {
  try {
    return fitLines(linesFor(content, hints, counter), outlineTokens, counter)
  } catch {
    // A counter of the caller's own may have failed; what is stored must not depend on it.
    return fitLines([`${content.length} ${typeof content === 'string' ? 'characters' : 'bytes'}`], outlineTokens, weightsCounter)
  }
}

function linesFor(content: Uint8Array | string, hints: ContentHints, counter: TokenCounter): string[] {
  if (typeof content !== 'string' && isOpaque(content, hints)) return outlineBytes(content, hints)
  const text = typeof content === 'string' ? content : textOf(content)
  const shape = shapeOf(text, hints)
  if (shape !== undefined) {
    try {
      return shape === outlineJson && hints.json !== undefined ? outlineValue(hints.json) : shape(text)
    } catch {
      // Not what it says it is: a text like any other.
    }
  }
  return outlineText(text, counter)
}

/** Content that is no text: by its first bytes, or because its media type says so. */
function isOpaque(bytes: Uint8Array, { mediaType = '' }: ContentHints): boolean {
  const type = bareType(mediaType)
  const opaqueType = /^(image|audio|video|font)\//.test(type) || type === 'application/pdf' || type === 'application/zip'
  return isBinary(bytes) || (opaqueType && !isTextType(type))
}

function outlineBytes(bytes: Uint8Array, { mediaType = 'application/octet-stream' }: ContentHints): string[] {
  const type = bareType(mediaType)
  const size = imageSize(bytes)
  const more =
    size !== undefined ? `, ${size.width}×${size.height}` : type === 'application/pdf' ? `, about ${pdfPages(bytes)} pages` : ''
  return [`${shortLine(type, 100)}, ${bytes.length} bytes${more}`]
}

type Shape = (text: string) => string[]

const code =
  (language: CodeLanguage): Shape =>
  text =>
    outlineCode(text, language)

const shapesByEnding: Readonly<Record<string, Shape>> = {
  json: outlineJson,
  csv: outlineCsv,
  tsv: outlineCsv,
  md: outlineMarkdown,
  markdown: outlineMarkdown,
  ts: code('TypeScript'),
  mts: code('TypeScript'),
  cts: code('TypeScript'),
  tsx: code('TypeScript'),
  js: code('JavaScript'),
  mjs: code('JavaScript'),
  cjs: code('JavaScript'),
  jsx: code('JavaScript'),
  py: code('Python'),
  pyi: code('Python'),
}
const shapesByType: Readonly<Record<string, Shape>> = {
  'application/json': outlineJson,
  'text/csv': outlineCsv,
  'text/tab-separated-values': outlineCsv,
  'text/markdown': outlineMarkdown,
  'text/typescript': code('TypeScript'),
  'application/typescript': code('TypeScript'),
  'text/javascript': code('JavaScript'),
  'application/javascript': code('JavaScript'),
  'application/x-javascript': code('JavaScript'),
  'text/x-python': code('Python'),
  'application/x-python': code('Python'),
}

/** By the name's ending, then the media type, then how the text begins. */
function shapeOf(text: string, { name = '', mediaType = '' }: ContentHints): Shape | undefined {
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase()
  const type = bareType(mediaType)
  if (name.includes('.') && Object.hasOwn(shapesByEnding, ending)) return shapesByEnding[ending]
  if (Object.hasOwn(shapesByType, type)) return shapesByType[type]
  if (type.endsWith('+json') || /^\s{0,64}[[{]/.test(text)) return outlineJson
  return undefined
}
