import { canonical, isId, isObject, sha256, SkeinError, toJson } from '#kernel'
import { isType, type Message, type SessionRow } from '#journal'
import type { SessionCore } from './core.ts'
import type { Draft } from './draft.ts'

/** Messages that stand before all history in every request; as long as one session's, the same object. */
type Prefill = readonly Message[]

const none: Prefill = []
const entryName = 'prefill'

/**
 * Keeps what is to stand before all history. The same again changes nothing; another one is refused once a turn has begun
 * (`session.prefill_too_late`), since every request would be another. Law A55.
 */
export async function setPrefill(core: SessionCore, messages: Prefill): Promise<void> {
  const json = toJson(messages)
  const hash = sha256(canonical(json))
  await core.path(row => {
    if (hashOf(row) === hash) return { drafts: [] }
    if (row.counters.turnCount > 0)
      throw new SkeinError('session.prefill_too_late', `Session ${core.id} has begun; its prefill can't be changed any more.`, {
        details: { session: core.id },
      })
    const id = core.runtime.ids('ent')
    const kept: Draft = { type: 'custom', id, data: { name: entryName, data: { messages: json } }, path: false }
    return { drafts: [kept], head: { merge: { prefill: { entry: id, hash } } } }
  })
}

const hashOf = ({ data }: SessionRow): unknown => (isObject(data['prefill']) ? data['prefill']['hash'] : undefined)

const read = new WeakMap<SessionCore['memory'], { readonly entry: string; readonly messages: Prefill }>()

/** What stands before all history of a session, in whatever process. */
export async function prefillOf(core: SessionCore, { data }: SessionRow): Promise<Prefill> {
  const entry = isObject(data['prefill']) ? data['prefill']['entry'] : undefined
  if (!isId('ent', entry)) return none
  const known = read.get(core.memory)
  if (known?.entry === entry) return known.messages
  const found = await core.store.entry(core.id, entry)
  const kept = found !== undefined && isType(found, 'custom') ? found.data.data : undefined
  const messages = isObject(kept) && Array.isArray(kept['messages']) ? (kept['messages'] as unknown as Prefill) : none
  read.set(core.memory, { entry, messages })
  return messages
}
