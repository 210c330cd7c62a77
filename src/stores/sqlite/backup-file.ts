import { chmodSync, existsSync, rmSync } from 'node:fs'
import { join, basename, dirname } from 'node:path'
import { invalidInput, newId } from '#kernel'
import { BackgroundThread } from './background-thread.ts'
import { moveIntoPlace } from './migrate.ts'
import { realFile } from './open-file.ts'
import { storeError } from './sqlite-errors.ts'

/**
 * Copies a store as it is at one moment, with every commit acknowledged before, while others go on writing. The copy is
 * checked and appears under its name by rename, or not at all. Law J34.
 */
export async function backupFile(file: string, target: string): Promise<void> {
  const to = realFile(target)
  if (to === file) throw invalidInput('file', 'A store cannot be its own backup.')
  if (existsSync(`${to}-wal`)) throw invalidInput('file', `${target} is a store that somebody has open.`)
  const partial = join(dirname(to), `.${basename(to)}.${newId('own').slice(4)}.partial`)
  const thread = new BackgroundThread(file)
  try {
    await thread.await(() => thread.order({ copyTo: partial }))
    chmodSync(partial, 0o600)
    moveIntoPlace(partial, to)
  } catch (error) {
    rmSync(partial, { force: true })
    throw storeError(error, file)
  } finally {
    await thread.close()
  }
}
