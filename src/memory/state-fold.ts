import { isId, isObject } from '#kernel'
import { type Entry, isType, type Part } from '#journal'
import { folded, learntText } from './extraction-text.ts'
import { objectiveIn } from './objective.ts'
import {
  type ChangedBy,
  type Commitment,
  type CommitmentKind,
  commitmentKinds,
  type CommitmentStatus,
  commitmentStatuses,
  emptyState,
  type StateChange,
  stateFields,
  type StatePatch,
  type WorkingState,
} from './working-state.ts'

/** The state, and whether somebody set its objective, so that no message replaces it. */
export interface Folding {
  readonly state: WorkingState
  readonly told: boolean
}

export const emptyFolding: Folding = { state: emptyState, told: false }

/** Entries beside the branch that the state is folded of. */
export const stateTypes: readonly string[] = ['state_changed', 'commitment_added', 'commitment_resolved']

const mostChanges = 100

/** What an entry does to the state; by `seq`, oldest first. Pure and total: an entry that can't be read does nothing. */
export function foldEntry(before: Folding, entry: Entry): Folding {
  if (isType(entry, 'message_added')) return heard(before, entry)
  const data = isObject(entry.data) ? entry.data : {}
  if (isType(entry, 'state_changed'))
    return data['cleared'] === true ? cleared(before, entry) : changed(before, entry, patchIn(data['set']))
  if (isType(entry, 'commitment_added')) return added(before, entry, data)
  return isType(entry, 'commitment_resolved') ? resolved(before, entry, data) : before
}

/** Of a part that is stored aside, as far as it is shown. */
function textOf(parts: readonly Part[]): string {
  return learntText(parts.map(part => ('preview' in part ? ({ ...part, text: String(part.preview) } as unknown as Part) : part)))
}

/** What a user's message asks for; `null` for every other entry. */
export function asksFor(entry: Entry): string | null {
  return isType(entry, 'message_added') && entry.data.role === 'user' ? objectiveIn(textOf(entry.data.parts)) : null
}

function heard(before: Folding, entry: Entry): Folding {
  const asked = asksFor(entry)
  const { state, told } = before
  if (asked === null || asked === state.objective || (told && asked === state.suggested)) return before
  if (told) return { told, state: next({ ...state, suggested: asked }, []) }
  return { told, state: withFields(state, { objective: asked }, entry, 'heuristic') }
}

function changed({ state, told }: Folding, entry: Entry, patch: StatePatch): Folding {
  const by = byOf(entry)
  if (patch.objective === undefined) return { told, state: withFields(state, patch, entry, by) }
  const { objective, ...rest } = patch
  // What a model or an import thinks of it never takes the place of what somebody set.
  if (by !== 'user' && told)
    return { told, state: withFields({ ...state, suggested: objective ?? state.suggested }, rest, entry, by) }
  return { told: by === 'user' && objective !== null, state: withFields({ ...state, suggested: null }, patch, entry, by) }
}

function cleared({ state }: Folding, entry: Entry): Folding {
  const empty = { objective: null, stage: null, nextStep: null, blockers: [] }
  return { told: false, state: withFields({ ...state, suggested: null, commitments: [] }, empty, entry, byOf(entry)) }
}

function added(before: Folding, entry: Entry, { id, text, kind }: Record<string, unknown>): Folding {
  if (!isId('cmt', id) || typeof text !== 'string' || !isOneOf(commitmentKinds, kind)) return before
  if (commitmentOf(before.state, text, kind) !== undefined) return before
  const commitment: Commitment = { id, text, kind, status: firstStatus(kind), addedAt: entry.at, seq: entry.seq }
  const commitments = [...before.state.commitments, commitment]
  return { ...before, state: next({ ...before.state, commitments }, []) }
}

function resolved(before: Folding, entry: Entry, { id, status, reason }: Record<string, unknown>): Folding {
  const known = before.state.commitments.find(commitment => commitment.id === id)
  if (known === undefined || !isOneOf(commitmentStatuses, status) || known.status === status) return before
  const { reason: _before, ...kept } = known
  const commitment: Commitment = { ...kept, status, resolvedAt: entry.at, ...(typeof reason === 'string' ? { reason } : {}) }
  const commitments = before.state.commitments.map(one => (one.id === id ? commitment : one))
  return { ...before, state: next({ ...before.state, commitments }, []) }
}

export const firstStatus = (kind: CommitmentKind): CommitmentStatus => (kind === 'loop' ? 'open' : 'fulfilled')

/** The one with this text, whole and folded, of any status. Law M65. */
export function commitmentOf(state: WorkingState, text: string, kind?: CommitmentKind): Commitment | undefined {
  const wanted = folded(text)
  const same = state.commitments.filter(one => folded(one.text) === wanted && (kind === undefined || one.kind === kind))
  return same.find(({ status }) => status === 'open') ?? same[0]
}

function withFields(before: WorkingState, patch: StatePatch, entry: Entry, by: ChangedBy): WorkingState {
  const changes: StateChange[] = []
  const after: Record<string, unknown> = {}
  for (const field of stateFields) {
    const to = patch[field]
    if (to === undefined) continue
    const value = field === 'blockers' ? (to ?? []) : to
    if (JSON.stringify(value) === JSON.stringify(before[field])) continue
    after[field] = value
    changes.push({ field, from: before[field], to: value, seq: entry.seq, by })
  }
  return next({ ...before, ...after }, changes)
}

const next = (state: WorkingState, changes: readonly StateChange[]): WorkingState => ({
  ...state,
  changes: [...state.changes, ...changes].slice(-mostChanges),
  version: state.version + 1,
})

function byOf({ by }: Entry): ChangedBy {
  return by === 'model' || by === 'import' ? by : 'user'
}

/** What of a stored patch can be read. */
function patchIn(value: unknown): StatePatch {
  if (!isObject(value)) return {}
  const isField = (field: string, given: unknown): boolean =>
    field === 'blockers'
      ? Array.isArray(given) && given.every(blocker => typeof blocker === 'string')
      : given === null || typeof given === 'string'
  return Object.fromEntries(stateFields.flatMap(field => (isField(field, value[field]) ? [[field, value[field]]] : [])))
}

const isOneOf = <T extends string>(values: readonly T[], value: unknown): value is T =>
  typeof value === 'string' && (values as readonly string[]).includes(value)
