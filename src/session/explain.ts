import { isContent } from './branch-spans.ts'
import type { SessionCore } from './core.ts'
import { notFound, readerOf, splitRef } from './expand.ts'
import { readContext } from './read-context.ts'
import { absent, readStandings, type Standing, withCauses } from './standings.ts'

/** How any entry of the journal is shown now. Agrees with what `context({ compact: false })` gives. Law C80. */
export async function explain(core: SessionCore, ref: unknown): Promise<Standing> {
  const { noun } = readerOf(ref)
  if (noun !== 'entry') throw notFound(core, 'entry', ref as string)
  const { entry: id, part } = splitRef(ref as string)
  const entry = await core.store.entry(core.id, id)
  if (entry === undefined) throw notFound(core, 'entry', ref as string)
  const parts = (entry.data as { readonly parts?: readonly unknown[] }).parts?.length ?? 1
  if (part !== undefined && (part >= parts || !isContent(entry))) throw notFound(core, 'entry', ref as string)
  const context = await readContext(core, { compact: false })
  if (!isContent(entry) || entry.parentId === null) return absent('not_content')
  const { row, frontier } = context.state
  const standings = await readStandings(core, row, { ...context, frontier })
  return await withCauses(core, frontier, entry, await standings.of(entry, part))
}
