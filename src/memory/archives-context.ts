import { given, isSkeinError, type JsonObject, sha256, SkeinError } from '#kernel'
import { countShown, messageTokens, type Shown, showEntry, type ShownEntry, type ShowOptions } from '#context'
import { type ContextEdited, type Entry, isType, type Message, type SessionRow } from '#journal'
import {
  changedNotes,
  checkContextOptions,
  contextEntries,
  type ContextOptions,
  type ContextState,
  type ContextView,
  type Frontier,
  inputMessage,
  type OwnContext,
  readContextState,
  renderContext,
  servedContext,
  type SessionContext,
  type SessionCore,
  viewsArchives,
} from '#session'
import { rangeMessages, spokenMessages } from './archive-messages.ts'
import { readArchives } from './archive-list.ts'
import type { StoredArchive } from './archive-row.ts'
import { abstractLine } from './archive-text.ts'
import { fallbackTexts } from './archiver-fallback.ts'
import { branchPieces } from './archives-context-branch.ts'
import { cutTurn } from './archives-context-cut.ts'
import { injected, type Injected, type Turn, turnsOf } from './archives-context-items.ts'
import { type ArchivesPlan, type LeftOut, type Piece, planArchives, type ShownArchive } from './archives-context-plan.ts'
import { commitSession } from './commit.ts'
import type { ShownMemory } from './commit-ports.ts'
import type { MemoryParts } from './memory-parts.ts'

/** What the view of archives says beside what every context does. Tokens are estimates. */
export interface ArchivesContext extends SessionContext {
  readonly parts: {
    readonly system: number
    readonly newestTurn: number
    readonly profile: number
    readonly state: number
    readonly archives: number
    readonly recall: number
    readonly live: number
  }
  /** Those that stand in the text, oldest first, and how. */
  readonly archives: readonly ShownArchive[]
  /** What was left out, and why. */
  readonly left: readonly LeftOut[]
  /** What could not be asked, such as `recall`. */
  readonly degraded: readonly string[]
}

type Extras = Pick<ArchivesContext, 'parts' | 'archives' | 'left' | 'degraded'>

export const showsArchives = (row: SessionRow, { view }: ContextOptions): boolean =>
  view === undefined ? viewsArchives(row) : view === 'archives'

/** How runs and hosts get the context of a session that was created to show archives. */
export function archivesView(core: SessionCore, parts: MemoryParts): ContextView {
  return {
    read: async (options, cause) => {
      // A run stored its notes as it began, and it alone seals.
      const isRun = cause.run !== undefined
      return (await readArchivesContext(core, parts, options, { isRun, seals: isRun && options.compact !== false })).own
    },
    shown: async options => await shownNow(core, parts, options),
    shrink: async () => {
      const sealed = await commitSession(core, parts, { cause: 'tokens' })
      return sealed.archived
    },
  }
}

/** Where the newest turn doesn't fit, nothing is said to stand there: whoever asks for the request itself is refused. */
async function shownNow(core: SessionCore, parts: MemoryParts, options: ContextOptions): Promise<ContextState> {
  try {
    return (await makeContext(core, parts, options, { isRun: true, seals: false })).state
  } catch (error) {
    if (!isSkeinError(error) || error.code !== 'context.exhausted') throw error
    return await readContextState(core, await core.row(), options, 0, nothingShown)
  }
}

const nothingShown: Frontier = { version: 0, edit: null, items: [], newest: null }

/** `session.context()` with archives in place of the frontier. Never writes. */
export async function sessionArchivesContext(
  core: SessionCore,
  parts: MemoryParts,
  options: ContextOptions,
): Promise<ArchivesContext> {
  checkContextOptions(options)
  const { maxTokens, ...rest } = options
  const { own, extras } = await readArchivesContext(core, parts, rest, { isRun: false, seals: false, ...given({ maxTokens }) })
  return { ...(await servedContext(core, { ...rest, compact: false }, own)), ...extras }
}

interface Asking {
  readonly isRun: boolean
  readonly seals: boolean
  /** Of the whole request. Default: what is usable. */
  readonly maxTokens?: number
}

/** How often a run seals for one request at the most. */
const mostSeals = 3

async function readArchivesContext(
  core: SessionCore,
  parts: MemoryParts,
  options: ContextOptions,
  asking: Asking,
): Promise<{ readonly own: OwnContext; readonly extras: Extras }> {
  for (let seals = 0; ; seals++) {
    const made = await makeContext(core, parts, options, asking)
    const { turnsLeft, state } = made
    if (turnsLeft.length === 0 || !asking.seals || !state.settings.auto || seals >= mostSeals) return made
    if (!(await sealFor(core, parts, made))) return made
  }
}

interface Made {
  readonly own: OwnContext
  readonly extras: Extras
  readonly state: ContextState
  readonly turnsLeft: readonly Turn[]
  readonly turns: readonly Turn[]
  readonly room: number
}

/** Seals the older turns, so that the newer ones take half of the room that turns have. */
async function sealFor(core: SessionCore, parts: MemoryParts, { turns, turnsLeft, room }: Made): Promise<boolean> {
  let kept = turns.length
  for (let tokens = 0; kept > 0; kept--) {
    tokens += turns[kept - 1]?.tokens ?? 0
    if (tokens > room / 2) break
  }
  const last = turns[Math.max(kept, turnsLeft.length) - 1]?.items.at(-1)
  if (last === undefined) return false
  const sealed = await commitSession(core, parts, { cause: 'tokens', through: last.entry.id })
  return sealed.archived
}

async function makeContext(core: SessionCore, parts: MemoryParts, options: ContextOptions, asking: Asking): Promise<Made> {
  const row = await core.row()
  const all = await readArchives(core)
  const base = await readContextState(core, row, options, 0, nothingShown)
  const { show } = base
  const limit = asking.maxTokens ?? base.budget.usable
  const pieces = await branchPieces(core, row, all)
  const raw = await shownRaw(core, show, pieces)
  const input = options.input === undefined ? undefined : inputMessage(options.input)
  const inputTokens = input === undefined ? 0 : messageTokens(input, core.keeping.counter)
  const notes = asking.isRun ? [] : await notesNow(core, base, raw.items)
  const { heads, turns: asked, piecesBefore } = await partPieces(core, raw, pieces, all, show)
  // What is asked now, or what was asked last.
  const newest = input === undefined ? asked.at(-1) : undefined
  const before: readonly Piece[] =
    newest === undefined ? piecesBefore : piecesBefore.filter(piece => piece.kind !== 'turn' || piece.turn !== newest)
  const headItems = latestHeads([...heads, ...notes.filter(({ entry }) => entry.note?.place === 'head')])
  const turnNotes = notes.filter(({ entry }) => entry.note?.place === 'turn')
  const fixed = countShown({ ...base, items: [...headItems, ...turnNotes] as Shown[] }, show).total + inputTokens
  const last = newest === undefined ? [] : cutTurn(newest.items, limit - fixed, show)
  if (last === undefined || fixed > limit) throw tooLong(base, limit, fixed + (newest?.tokens ?? 0))
  const newestTokens = last.reduce((sum, { tokens }) => sum + tokens, 0) + inputTokens
  const memories = await memoriesFor(core, parts, row, options.query, show)
  const plan = planArchives({ budget: limit, taken: fixed + newestTokens - inputTokens, pieces: before, ...memories, show })
  const items = [...headItems, ...plan.before, ...plan.beside, ...turnNotes, ...last]
  const tokens = countShown({ ...base, items: items as Shown[] }, show)
  const total = tokens.total + inputTokens
  const frontier = frontierOf(all, plan, items)
  const state: ContextState = { ...base, frontier, tokens, projected: Math.min(total, base.budget.usable - 1) }
  const own = { ...renderContext(core, state, options.format, { input, notes: [] }), fits: total <= limit }
  const turnsBefore = before.flatMap(piece => (piece.kind === 'turn' ? [piece.turn] : []))
  return {
    own,
    state,
    turnsLeft: plan.turnsLeft,
    turns: turnsBefore,
    room: plan.parts.live + limit - total,
    extras: {
      parts: { system: base.tokens.total, newestTurn: newestTokens, ...plan.parts },
      archives: plan.archives,
      left: plan.left,
      degraded: memories.degraded,
    },
  }
}

interface Raw {
  readonly items: readonly ShownEntry[]
  readonly byId: ReadonlyMap<string, ShownEntry>
}

const contentTypes = ['message_added', 'custom', 'context_noted']
const isContent = (entry: Entry): boolean =>
  contentTypes.includes(entry.type) && (!isType(entry, 'custom') || entry.data.text !== undefined)

async function shownRaw(core: SessionCore, show: ShowOptions, pieces: Awaited<ReturnType<typeof branchPieces>>): Promise<Raw> {
  const entries = pieces.flatMap(piece => (piece.kind === 'raw' ? piece.entries.filter(isContent) : []))
  const items = (await contextEntries(core, entries)).map(entry => showEntry(entry, show))
  return { items, byId: new Map(items.map(item => [item.entry.id, item])) }
}

/** The pieces with their turns, and head notes apart. */
async function partPieces(
  core: SessionCore,
  raw: Raw,
  pieces: Awaited<ReturnType<typeof branchPieces>>,
  all: readonly StoredArchive[],
  show: ShowOptions,
): Promise<{ readonly heads: readonly ShownEntry[]; readonly turns: readonly Turn[]; readonly piecesBefore: readonly Piece[] }> {
  const heads: ShownEntry[] = []
  const turns: Turn[] = []
  const parted: Piece[] = []
  for (const piece of pieces) {
    if (piece.kind === 'archive') {
      parted.push({ kind: 'archive', choice: await choiceOf(core, piece.archive, all, show) })
      continue
    }
    const items = piece.entries.flatMap(({ id }) => raw.byId.get(id) ?? [])
    heads.push(...items.filter(({ entry }) => entry.note?.place === 'head'))
    for (const turn of turnsOf(items.filter(({ entry }) => entry.note?.place !== 'head'))) {
      turns.push(turn)
      parted.push({ kind: 'turn', turn })
    }
  }
  return { heads, turns, piecesBefore: parted }
}

/** What isn't ready is read, for what it said and for an abstract made on the spot. Law M35. */
async function choiceOf(
  core: SessionCore,
  archive: StoredArchive,
  all: readonly StoredArchive[],
  show: ShowOptions,
): Promise<{ archive: StoredArchive; abstract: string; raw: readonly Turn[] }> {
  if (archive.data.state !== 'sealed') return { archive, abstract: archive.data.abstract, raw: [] }
  const range = await rangeMessages(core, archive.fromSeq, archive.data.endEntry)
  const previous = all
    .filter(({ data, toSeq }) => data.state === 'ready' && toSeq < archive.fromSeq)
    .sort((a, b) => b.toSeq - a.toSeq)[0]
  const { abstract } = fallbackTexts(spokenMessages(range), { abstract: previous?.data.abstract ?? '' })
  const items = (await contextEntries(core, range as readonly Entry[])).map(entry => showEntry(entry, show))
  return { archive, abstract: abstractLine(abstract), raw: turnsOf(items) }
}

/** Of head notes of one name the newest. */
function latestHeads(heads: readonly ShownEntry[]): ShownEntry[] {
  const newest = new Map(heads.map(item => [item.entry.note?.name, item]))
  return heads.filter(item => newest.get(item.entry.note?.name) === item && item.entry.note?.text !== '')
}

/** What hooks would say now, shown and stored by whoever goes on. */
async function notesNow(core: SessionCore, base: ContextState, items: readonly ShownEntry[]): Promise<ShownEntry[]> {
  const state = { ...base, frontier: { ...base.frontier, items: items as readonly Shown[] } }
  return (await changedNotes(core, state)).map(note => {
    const message: Message = { role: 'user', parts: [{ type: 'text', text: note.text }] }
    const tokens = messageTokens(message, core.keeping.counter)
    return showEntry({ id: `ent_${note.name}`, seq: 0, at: 0, message, tokens, note }, base.show)
  })
}

async function memoriesFor(
  core: SessionCore,
  { injection }: MemoryParts,
  row: SessionRow,
  query: string | undefined,
  show: ShowOptions,
): Promise<Record<'profile' | 'state' | 'recall', readonly Injected[]> & { readonly degraded: readonly string[] }> {
  const degraded: string[] = []
  const asked = async (what: string, read: () => Promise<readonly ShownMemory[]>): Promise<readonly Injected[]> => {
    try {
      const texts = await read()
      if (isDegraded(texts)) degraded.push(what)
      return texts.map(({ kind, id, text }) => injected(kind, id, text, 0, show))
    } catch (error) {
      degraded.push(what)
      const code = error instanceof SkeinError ? error.code : 'skein.bug'
      const message = `The ${what} of a context could not be read: ${code}.`
      core.runtime.notice({ level: 'warn', code: 'context.degraded', message, session: core.id, tenant: core.store.tenant })
      return []
    }
  }
  return {
    profile: await asked('profile', () => injection.profile(core, row)),
    state: await asked('state', () => injection.state(core, row)),
    recall: query === undefined || query.trim() === '' ? [] : await asked('recall', () => injection.recall(core, row, query)),
    degraded,
  }
}

/** Whether a leg of it failed while the others answered. */
const isDegraded = (texts: readonly ShownMemory[] & { readonly degraded?: readonly string[] }): boolean =>
  (texts.degraded ?? []).length > 0

/** What is shown as a frontier: another one where archives are others or stand otherwise, so that a broken prefix is told. */
function frontierOf(all: readonly StoredArchive[], plan: ArchivesPlan, items: readonly ShownEntry[]): Frontier {
  const version = all.reduce((sum, archive) => sum + archive.version, 0)
  const newest = items.findLast(({ entry }) => entry.seq > 0)?.entry.id ?? null
  if (plan.archives.length === 0) return { version, edit: null, items: items as readonly Shown[], newest }
  const data: ContextEdited = {
    version,
    reason: 'compaction',
    swapped: [],
    pruned: [],
    cut: [],
    restored: [],
    frontier: [],
    sharedTokens: 0,
  }
  const how = sha256(JSON.stringify(plan.archives.map(({ id, as }) => [id, as]))).slice(0, 26)
  return { version, edit: { id: `ent_${how}`, data }, items: items as readonly Shown[], newest }
}

function tooLong({ tokens, budget }: ContextState, limit: number, total: number): SkeinError {
  const details: JsonObject = { tokens: { ...tokens, total }, projected: total, usable: limit, window: budget.window }
  return new SkeinError('context.exhausted', 'The newest turn is too long, and nothing is left to shorten.', { details })
}
