import type { Tool } from './definition.ts'
import { type Edit, editText } from './edit-text.ts'
import { type Desk, flag, schemaOf, text, whole } from './file-tool.ts'
import { fileBytes, readFileText } from './file-text.ts'
import { lineDiff } from './line-diff.ts'

const maxBytes = 20 * 2 ** 20

const one = {
  oldText: text('stands exactly once in the file, unless said otherwise'),
  newText: text('what stands there instead'),
  expectedMatches: whole('how often oldText stands there; each is replaced'),
  replaceAll: flag('replace it wherever it stands'),
}

interface Asked extends Partial<Edit> {
  readonly path: string
  readonly edits?: readonly Edit[]
  readonly dryRun?: boolean
}

/** Replaces texts in a file, all or none; line ends, byte order mark and mode stay. Law A30. */
export function editTool({ place, seen }: Desk): Tool<Asked> {
  return {
    name: 'edit',
    description:
      'Replaces text in a file: oldText and newText, or several edits, all of them or none. dryRun shows the difference.',
    input: schemaOf(
      {
        path: text('relative to the working folder'),
        ...one,
        edits: { type: 'array', minItems: 1, items: schemaOf(one, ['oldText', 'newText']), description: 'one after the other' },
        dryRun: flag('change nothing, show what would change'),
      },
      ['path'],
    ),
    kind: 'write',
    resources: ({ path }) => [{ path: place.absolute(path) }],
    run: async (asked, call) => {
      const { path, dryRun = false } = asked
      const edits = editsOf(asked)
      const { bytes, real, mode, mark } = await place.bytes(path, maxBytes)
      const file = readFileText(bytes, path)
      const { text: edited, matches } = editText(file, edits, path)
      const diff = lineDiff(path, file.text, edited)
      if (dryRun) return `${diff}\n[Nothing was changed.]`
      await call.checkpoint([real])
      call.signal.throwIfAborted()
      const now = await place.look(path)
      if (now?.mark !== mark) throw new Error(`${path} changed while it was edited. Nothing was changed. Read it again.`)
      const after = await place.write(path, fileBytes({ text: edited, bom: file.bom }), mode)
      seen.set(real, after.mark)
      const count = matches === 1 ? '1 replacement' : `${matches} replacements`
      return { content: `Edited ${path}: ${count}.`, details: { diff } }
    },
  }
}

function editsOf({ edits, oldText, newText, expectedMatches, replaceAll }: Asked): readonly Edit[] {
  if (edits !== undefined) {
    if (oldText !== undefined || newText !== undefined) throw new Error('Give oldText and newText, or edits, not both.')
    return edits
  }
  if (oldText === undefined || newText === undefined) throw new Error('Give oldText and newText, or edits.')
  return [
    {
      oldText,
      newText,
      ...(expectedMatches === undefined ? {} : { expectedMatches }),
      ...(replaceAll === undefined ? {} : { replaceAll }),
    },
  ]
}
