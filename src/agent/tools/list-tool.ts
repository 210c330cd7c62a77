import { stat } from 'node:fs/promises'
import type { Tool } from './definition.ts'
import { type Desk, flag, schemaOf, text } from './file-tool.ts'
import { type Found, walk } from './walk.ts'

const maxEntries = 1_000
const endings = { file: '', folder: '/', link: '@', other: '' } as const satisfies Record<Found['kind'], string>

interface Asked {
  readonly path?: string
  readonly recursive?: boolean
}

/** The names in a folder, 1,000 at most, without what `.gitignore` names. */
export function listTool({ place }: Desk): Tool<Asked> {
  return {
    name: 'ls',
    description: 'Lists a folder: folders end with /, symlinks with @. Ignored files are left out.',
    input: schemaOf({ path: text('default: the working folder'), recursive: flag('with everything below') }),
    readOnly: true,
    kind: 'search',
    resources: ({ path = '.' }) => [{ path: place.absolute(path) }],
    run: async ({ path = '.', recursive = false }, { signal }) => {
      const folder = await place.real(path)
      const found = await stat(folder).catch(() => undefined)
      if (found === undefined) throw new Error(`Folder not found: ${path}`)
      if (!found.isDirectory()) throw new Error(`${path} is no folder.`)
      const prefix = place.shown(folder)
      const lines: string[] = []
      for await (const { path: inner, kind } of walk(place, folder, recursive, signal)) {
        if (lines.length === maxEntries) {
          lines.push(`[The first ${maxEntries} entries. Ask for a folder further down.]`)
          break
        }
        lines.push(`${prefix === '.' ? inner : inner.slice(prefix.length + 1)}${endings[kind]}`)
      }
      return lines.length === 0 ? '[The folder is empty.]' : lines.join('\n')
    },
  }
}
