import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Names the folder of the run's bundle. */
export const childrenVariable = 'SKEIN_CHILDREN'

/** What to start for a source file: it, or its like in the run's bundle, where that has one. */
export function childEntry(source: string): string {
  const bundled = join(process.env[childrenVariable] ?? '', basename(source).replace(/\.ts$/, '.js'))
  return existsSync(bundled) ? bundled : source
}
