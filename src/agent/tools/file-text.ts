/** A file's text as it is edited: without its mark, and how to write it back. */
export interface FileText {
  readonly text: string
  readonly bom: boolean
  /** `crlf` only where every line ends so. */
  readonly lineEnds: 'lf' | 'crlf' | 'mixed'
}

const sniffed = 8_192
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Whether bytes are no text: they hold a NUL near their beginning. */
export const isBinary = (bytes: Uint8Array): boolean => bytes.subarray(0, sniffed).includes(0)

/** Throws for bytes that are not UTF-8: written back they would be others. */
export function readFileText(bytes: Uint8Array, path: string): FileText {
  if (isBinary(bytes)) throw new Error(`${path} is binary.`)
  let all: string
  try {
    all = utf8.decode(bytes)
  } catch {
    throw new Error(`${path} is not UTF-8 text.`)
  }
  const bom = all.startsWith('\ufeff')
  const text = bom ? all.slice(1) : all
  const crlf = text.split('\r\n').length - 1
  const lf = text.split('\n').length - 1
  return { text, bom, lineEnds: crlf === 0 ? 'lf' : crlf === lf ? 'crlf' : 'mixed' }
}

export function fileBytes({ text, bom }: Pick<FileText, 'text' | 'bom'>): Buffer {
  return Buffer.from(bom ? `\ufeff${text}` : text)
}

/** The media type of an image that models take, by its first bytes. */
export function imageType(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(16, bytes.byteLength)).toString('latin1')
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (head.startsWith('GIF87a') || head.startsWith('GIF89a')) return 'image/gif'
  return head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP' ? 'image/webp' : undefined
}
