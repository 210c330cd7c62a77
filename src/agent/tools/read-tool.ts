import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { Tool } from './definition.ts'
import { type Desk, schemaOf, text, whole } from './file-tool.ts'
import { imageType, isBinary, readFileText } from './file-text.ts'
import { LinePager, pageText } from './line-page.ts'

const maxWholeBytes = 5 * 2 ** 20
const maxImageBytes = 10 * 2 ** 20

interface Asked {
  readonly path: string
  readonly startLine?: number
  readonly endLine?: number
}

/** 500 lines or 50,000 bytes of a text file, or an image. Source: spec/agent.md 10. */
export function readTool({ place, seen }: Desk): Tool<Asked> {
  return {
    name: 'read',
    description:
      'Reads a text file, 500 lines or 50,000 bytes at a time, or shows an image. Ask for later lines by startLine and endLine.',
    input: schemaOf(
      {
        path: text('relative to the working folder'),
        startLine: whole('from 1, inclusive'),
        endLine: whole('inclusive'),
      },
      ['path'],
    ),
    readOnly: true,
    kind: 'read',
    resources: ({ path }) => [{ path: place.absolute(path) }],
    run: async ({ path, startLine, endLine }, { signal }) => {
      const { file, real, size, mark } = await place.open(path)
      try {
        const head = Buffer.alloc(Math.min(size, 8_192))
        await file.read(head, 0, head.length, 0)
        const mediaType = imageType(head)
        if (mediaType !== undefined) {
          if (size > maxImageBytes)
            throw new Error(`${path} is an image of ${size} bytes; at most ${maxImageBytes} can be shown.`)
          const data = await file.readFile()
          seen.set(real, mark)
          return [
            { type: 'text', text: `${path}: ${mediaType}, ${size} bytes` },
            { type: 'file', mediaType, name: path, data },
          ]
        }
        if (isBinary(head)) throw new Error(`${path} is binary, ${size} bytes.`)
        const ranged = startLine !== undefined || endLine !== undefined
        if (size > maxWholeBytes && !ranged)
          throw new Error(`${path} takes ${size} bytes. Read it by startLine and endLine, or search in it with grep.`)
        if (startLine !== undefined && endLine !== undefined && endLine < startLine)
          throw new Error(`endLine ${endLine} lies before startLine ${startLine}.`)
        const pager = new LinePager(startLine ?? 1, endLine ?? Infinity)
        if (size > maxWholeBytes) {
          const lines = createInterface({
            input: Readable.from(file.createReadStream({ autoClose: false, start: 0 })),
            crlfDelay: 0,
          })
          for await (const line of lines) {
            signal.throwIfAborted()
            pager.take(line)
          }
        } else {
          const whole = readFileText(await file.readFile(), path).text
          for (const line of linesOf(whole)) pager.take(line)
        }
        seen.set(real, mark)
        return pageText(pager.page())
      } finally {
        await file.close()
      }
    },
  }
}

/** What a line end closes is a line; behind the last one there is none. */
function linesOf(whole: string): string[] {
  if (whole === '') return []
  const lines = whole.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}
