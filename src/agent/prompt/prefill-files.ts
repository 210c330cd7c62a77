import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { FileSpec, ReadFile } from './prefill.ts'

const maxBytes = 16 * 2 ** 20

/** Reads files; those that are not there, are no texts or are larger than 16 MiB are told instead. */
export async function readPrefillFiles(
  cwd: string,
  specs: readonly FileSpec[],
  missing: (path: string) => void,
): Promise<ReadFile[]> {
  const files = await Promise.all(
    specs.map(async (spec): Promise<ReadFile | undefined> => {
      const path = resolve(cwd, spec.path)
      try {
        if ((await stat(path)).size > maxBytes) return undefined
        const text = await readFile(path, 'utf8')
        return text.includes('\0') ? undefined : { spec, text }
      } catch {
        return undefined
      }
    }),
  )
  for (const [index, file] of files.entries()) if (file === undefined) missing(specs[index]?.path ?? '')
  return files.filter(file => file !== undefined)
}
