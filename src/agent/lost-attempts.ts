import { given, type RunId } from '#kernel'
import { type Entry, type EntryOf, isType, type KnownEntryType, noUsage } from '#journal'
import { type Draft, draft, type SessionCore } from '#session'

const pageSize = 1_000

/** The entries of the session's newest run, which must be `run`; oldest first. */
export async function entriesOfRun(core: SessionCore, run: RunId, types?: readonly KnownEntryType[]): Promise<Entry[]> {
  const [started] = await core.store.entries(core.id, { types: ['run_started'], order: 'desc', limit: 1 })
  if (started?.run !== run) return []
  const entries: Entry[] = []
  for (let after = started.seq - 1; ;) {
    const page = await core.store.entries(core.id, {
      after,
      limit: pageSize,
      ...(types === undefined ? {} : { types }),
    })
    entries.push(...page.filter(entry => entry.run === run))
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return entries
    after = last.seq
  }
}

/** Attempts that nothing is known of but that they began. */
export function openAttempts(entries: readonly Entry[]): EntryOf<'step_started'>[] {
  const told = new Set(entries.flatMap(entry => (isType(entry, 'usage_recorded') ? [entry.data.requestId] : [])))
  return entries.flatMap(entry => (isType(entry, 'step_started') && !told.has(entry.data.requestId) ? [entry] : []))
}

/** A request that went out when its process died counts, with what nobody knows as unknown. */
export const lostUsage = ({ data, run, turn }: EntryOf<'step_started'>): Draft =>
  draft(
    'usage_recorded',
    {
      requestId: data.requestId,
      purpose: 'turn',
      model: data.model,
      entry: null,
      usage: noUsage,
      cost: null,
      step: data.step,
      attempt: data.attempt,
      outcome: 'lost',
      ...given({ estimate: data.estimate }),
    },
    { by: 'model', ...(run === undefined ? {} : { run }), ...(turn === undefined ? {} : { turn }) },
  )

export async function lostAttempts(core: SessionCore, run: RunId): Promise<Draft[]> {
  return openAttempts(await entriesOfRun(core, run, ['run_started', 'step_started', 'usage_recorded'])).map(lostUsage)
}
