import type { Tool } from './definition.ts'
import { type Desk, schemaOf, text } from './file-tool.ts'

/** What becomes of a file that exists: said, or refused unless it was read, or unless it is as it was read, or always. */
export type WriteMode = 'warn' | 'requireRead' | 'blockStale' | 'deny'

interface Asked {
  readonly path: string
  readonly content: string
}

/** A whole file, new or instead of one that exists; on disk before it is said to be. */
export function writeTool({ place, seen }: Desk, mode: WriteMode): Tool<Asked> {
  return {
    name: 'write',
    description: 'Writes a whole file, with the folders on the way. To change parts of a file, use edit.',
    input: schemaOf({ path: text('relative to the working folder'), content: text('the whole file') }, ['path', 'content']),
    kind: 'write',
    resources: ({ path }) => [{ path: place.absolute(path) }],
    run: async ({ path, content }, call) => {
      const real = await place.real(path)
      const before = await place.look(path)
      const known = seen.get(real)
      const note = before === undefined ? undefined : readinessOf(path, mode, known, before.mark)
      await call.checkpoint([real])
      call.signal.throwIfAborted()
      const bytes = Buffer.from(content)
      const after = await place.write(path, bytes)
      seen.set(real, after.mark)
      const done = `${before === undefined ? 'Created' : 'Wrote'} ${path}: ${bytes.length} bytes.`
      return note === undefined ? done : `${done} ${note}`
    },
  }
}

/** What there is to say of overwriting; throws where the mode refuses it. */
function readinessOf(path: string, mode: WriteMode, known: string | undefined, mark: string): string | undefined {
  if (mode === 'deny') throw new Error(`${path} exists, and files that exist may not be overwritten. Use edit.`)
  if (known === undefined) {
    if (mode !== 'warn') throw new Error(`${path} exists. Read it before you overwrite it.`)
    return 'It existed, and was overwritten without having been read.'
  }
  if (known === mark) return undefined
  if (mode === 'blockStale') throw new Error(`${path} changed since it was read. Read it again before you overwrite it.`)
  return 'It had changed since it was read.'
}
