import { openAsBlob } from 'node:fs'
import { basename } from 'node:path'
import { hermesFolderFiles, hermesStateBytes } from '#gateway'
import { fileError } from './file-error.ts'
import type { HermesPlaces } from './verbs.ts'

/** What a Hermes gateway keeps here, as a form that a server takes. */
export async function hermesForm({ dir, stateDb }: Pick<HermesPlaces, 'dir' | 'stateDb'>): Promise<FormData> {
  const form = new FormData()
  try {
    const files = dir === undefined ? [] : await hermesFolderFiles(dir)
    for (const file of files) form.append('file', await openAsBlob(file), basename(file))
    if (stateDb !== undefined) form.append('stateDb', new Blob([new Uint8Array(await hermesStateBytes(stateDb))]), 'state.db')
  } catch (error) {
    throw fileError(error, dir ?? stateDb ?? '')
  }
  return form
}
