import { invalidInput } from '#kernel'
import { type Entry, isType } from '#journal'
import type { SessionCore } from '#session'

/** Notes of a branch that are looked at, newest first: of each hook its newest is what was shown. */
const newestNotes = 50

/** Whether a note that stood in the newest turn's context names the uri, in whole. */
export async function wasInjected(core: SessionCore, uri: unknown): Promise<boolean> {
  if (typeof uri !== 'string' || uri === '') throw invalidInput('uri', 'Expected a uri.')
  const row = await core.row()
  const [snapshot] = await core.store.entries(core.id, { types: ['snapshot_taken'], order: 'desc', limit: 1 })
  if (snapshot === undefined || row.leafId === null) return false
  const notes = await core.store.branch(core.id, { from: row.leafId, types: ['context_noted'], limit: newestNotes })
  const shown = newestOfEach(notes.filter(({ seq }) => seq < snapshot.seq))
  return shown.some(text => names(text, uri))
}

/** What a hook said last stands until it says something else. */
function newestOfEach(notes: readonly Entry[]): readonly string[] {
  const texts = new Map<string, string>()
  for (const note of notes)
    if (isType(note, 'context_noted') && !texts.has(note.data.name)) texts.set(note.data.name, note.data.text)
  return [...texts.values()]
}

/** The uri stands there with nothing of another one at its ends. */
function names(text: string, uri: string): boolean {
  for (let at = text.indexOf(uri); at >= 0; at = text.indexOf(uri, at + 1))
    if (!/[\w%/~-]/.test(text[at + uri.length] ?? ' ') && !/[\w%]/.test(text[at - 1] ?? ' ')) return true
  return false
}
