import { given, isId, isObject, type Json } from '#kernel'
import { type Change, type Entry, fullUsage, headEffect, isType, noUsage, type SessionRow, type Usage } from '#journal'
import type { JobWork } from '#jobs'
import { complete, type ConnectedModel } from '#models'
import { draft, placeDrafts, type Runtime, type SessionCore } from '#session'
import { branchAfter } from './commit-cursor.ts'
import { learntText } from './extraction-text.ts'
import { readAnswer, refreshedFields, refreshSystem } from './refresh-answer.ts'
import { refreshedMember, refreshDue, refreshedOf } from './refresh-due.ts'
import { readFolding } from './read-state.ts'
import { stateText } from './state-text.ts'
import { stateReader, stateTurn } from './state-turn.ts'

export const refreshKind = 'state.refresh'
const answerTokens = 1_000

export interface RefreshParts {
  readonly runtime: Runtime
  /** The session's model. Rejects where there is none. */
  connect(tenant: string, row: SessionRow): Promise<ConnectedModel>
}

/** Asks for a refresh; one of a session waits at a time. */
export function refreshLater({ runtime: { ids }, id }: Pick<SessionCore, 'runtime' | 'id'>, traceId?: string): Change {
  const job = { id: ids('job'), kind: refreshKind, key: id, session: id, payload: { session: id }, maxAttempts: 3 }
  return { type: 'enqueue', job: { ...job, ...given({ traceId }) }, uniqueKey: id }
}

/** The session's own model, unless it is none: the offline demo knows nothing. */
export async function refreshModel(parts: RefreshParts, tenant: string, row: SessionRow): Promise<ConnectedModel | undefined> {
  try {
    const model = await parts.connect(tenant, row)
    return model.info.demo === true ? undefined : model
  } catch {
    return undefined
  }
}

/** Reads what was said since the last refresh and lets the model say what has changed. Paid once, whatever becomes of it. */
export function refreshWork(parts: RefreshParts): JobWork {
  const { runtime } = parts
  return {
    schema: 1,
    timeoutMs: 60_000,
    async run(job, signal, step) {
      const store = runtime.store.in(job.tenant)
      const id = isObject(job.payload) ? job.payload['session'] : undefined
      const row = isId('ses', id) ? await store.session(id) : undefined
      if (row === undefined || row.state === 'deleted') return { result: { refreshed: false } }
      if (!(await refreshDue({ id: row.id, store }, row))) return { result: { refreshed: false } }
      const model = await refreshModel(parts, job.tenant, row)
      if (model === undefined) return { result: { refreshed: false } }
      const source = { id: row.id, store, memory: {} }
      // Whoever writes state after this was read goes first.
      const turn = await store.watermark(row.id, stateReader)
      const { state } = await readFolding(source, row)
      const said = async (): Promise<string> => {
        const entries = await branchAfter(source, row.leafId, refreshedOf(row).seq)
        return saidIn(entries, charactersFor(model))
      }
      const asked = (await step('answer', async () => ({
        ...(await ask(model, promptOf(stateText(state), await said()), runtime.clock.now(), signal)),
        read: { seq: row.seq, turns: row.totals.turns, tokens: row.totals.tokens },
      }))) as unknown as Asked
      const answer = readAnswer(asked.text)
      return {
        result: { refreshed: true, fields: Object.keys(answer) },
        effects: effectsOf(runtime, row, turn, asked, refreshedFields(state, answer)),
      }
    },
  }
}

interface Asked {
  readonly text: string
  readonly model: string
  readonly usage: Usage
  readonly cost: number | null
  /** What the branch counted when it was read. */
  readonly read: { readonly seq: number; readonly turns: number; readonly tokens: number }
}

async function ask(model: ConnectedModel, text: string, at: number, signal: AbortSignal): Promise<Record<string, Json>> {
  let usage: Usage | undefined
  const request = {
    system: refreshSystem,
    messages: [{ role: 'user' as const, parts: [{ type: 'text' as const, text }] }],
    tools: [],
    maxTokens: Math.min(model.info.maxOutput, answerTokens),
    temperature: 0,
  }
  const answer = await complete(model, request, signal, known => (usage = known))
  const name = `${model.info.provider}/${model.info.id}`
  const cost = usage === undefined ? null : model.cost(usage, at).total
  return { text: answer.text, model: name, usage: fullUsage(usage ?? noUsage) as unknown as Json, cost }
}

function effectsOf(
  runtime: Runtime,
  row: SessionRow,
  turn: number,
  { model, usage, cost, read }: Asked,
  set: Record<string, Json>,
): Change[] {
  const told = { requestId: runtime.ids('req'), purpose: 'refresh', model, entry: null, usage, cost, outcome: 'done' }
  const isChanged = Object.keys(set).length > 0
  const drafts = [
    ...(isChanged ? [draft('state_changed', { set }, { by: 'model' })] : []),
    draft('usage_recorded', told, { by: 'job' }),
  ]
  const entries = placeDrafts(drafts, row, runtime.clock.now(), runtime.ids)
  const effect = headEffect(entries, row)
  const head = { ...effect, merge: { ...effect.merge, [refreshedMember]: read } }
  return [{ type: 'append', session: row.id, entries, head }, ...(isChanged ? [stateTurn(row.id, row.seq + 1, turn)] : [])]
}

const charactersFor = (model: ConnectedModel): number => Math.max(4_000, 2 * (model.info.contextWindow - 4_000))

/** What was said, the newest of it where it is too much. */
function saidIn(entries: readonly Entry[], most: number): string {
  const lines = entries.flatMap(entry => {
    if (!isType(entry, 'message_added') || entry.data.role === 'system' || entry.data.role === 'tool') return []
    const text = learntText(entry.data.parts)
    return text === '' ? [] : [`<message role="${entry.data.role}">\n${escaped(text)}\n</message>`]
  })
  return lines.join('\n').slice(-most)
}

const promptOf = (state: string, said: string): string => `<state>\n${escaped(state)}\n</state>\n\n${said}`

const escaped = (text: string): string => text.replace(/<(?=[\s/]*(?:state|message))/giu, '&lt;')
