import { type Clock, given, isObject, type Json, messageOf, isSkeinError, SkeinError } from '#kernel'
import type { JobRow, TenantStore } from '#journal'
import type { JobDone, JobWork } from '#jobs'
import type { GatewayAdapter, SendFault } from './adapter.ts'
import type { Front } from './desk.ts'
import { type OutboxRow, outboxRow, putOutbox, type StoredOutbox, withCode } from './outbox-row.ts'

/** How long one sending may take. Milliseconds. */
export const sendMs = 60_000
const mostAttempts = 3
const mostAgeMs = 86_400_000
const mostPauseMs = 15 * 60_000
const pausesMs = [1_000, 10_000]

const again = '♻️ Sent again after a restart; may be a duplicate.'

export interface Delivering {
  readonly store: TenantStore
  readonly clock: Clock
  readonly adapter: GatewayAdapter
  /** The code of a request to be let in. */
  codeOf(id: string): Promise<string | null>
  tell(event: 'delivery_started' | 'delivery_ended' | 'delivery_abandoned', row: OutboxRow): void
}

/** Carries out the rows of an adapter, each tenant's by its own. */
export function deliveryWork(
  frontOf: (tenant: string) => Front,
  adapterOf: (front: Front) => GatewayAdapter,
  codeOf: Delivering['codeOf'] = () => Promise.resolve(null),
): JobWork {
  return {
    schema: 1,
    timeoutMs: sendMs,
    run: async (job, signal) => {
      const front = frontOf(job.tenant)
      const { store, desk, tenant } = front
      const tell: Delivering['tell'] = (type, row) =>
        desk.events.tell(tenant, desk.now, { type, id: row.id, ...given({ key: row.key }) })
      return await deliverDue({ store, clock: desk.runtime.clock, adapter: adapterOf(front), codeOf, tell }, job, signal)
    },
  }
}

/**
 * Carries out one row: counts the attempt, sends, and writes how it went with the end of the job. A row that was being sent when
 * its process died may have arrived; it says so when it goes out again. Laws G57, G58.
 */
export async function deliverDue(parts: Delivering, job: JobRow, signal: AbortSignal): Promise<JobDone> {
  const { store, clock, adapter } = parts
  const id = isObject(job.payload) ? job.payload['outbox'] : undefined
  const found = typeof id === 'string' ? await outboxRow(store, id) : undefined
  if (found === undefined || (found.row.state !== 'pending' && found.row.state !== 'sending')) return {}
  const { row } = found
  const over = row.attempts >= mostAttempts ? 'attempts' : clock.now() - row.at > mostAgeMs ? 'expired' : undefined
  if (over !== undefined) return abandon(parts, row.state === 'sending' ? { ...found, row: cutShort(row) } : found, over)
  const { text: said } = await withCode(row, id => parts.codeOf(id))
  const cutOff = row.state === 'sending' && !adapter.capabilities.idempotentSend
  const sending: OutboxRow = { ...row, state: 'sending', attempts: row.attempts + 1 }
  const claim = { type: 'require', that: { claim: { job: job.id, fence: job.fence } } } as const
  await store.commit([claim, putOutbox(sending, found.version)])
  const begun: StoredOutbox = { row: sending, version: found.version + 1 }
  parts.tell('delivery_started', sending)
  // What is given back by now is the next worker's to send.
  signal.throwIfAborted()
  const text = cutOff ? `${again}\n${said}` : said
  try {
    const { messageId } = await adapter.send(
      row.to,
      { text, kind: row.kind, ...given({ replyTo: row.replyTo }) },
      { id: row.id, attempt: sending.attempts, at: row.at, signal },
    )
    return delivered(parts, begun, messageId)
  } catch (error) {
    // The worker stops or has lost the job: whoever comes next sees that it was being sent.
    if (signal.aborted) throw error
    const fault = faultOf(error)
    const failed: StoredOutbox = { ...begun, row: { ...sending, lastError: toldOf(error) } }
    if (fault.permanent === true) return abandon(parts, failed, 'permanent')
    if (sending.attempts >= mostAttempts) return abandon(parts, failed, 'attempts')
    const retryAfterMs = Math.min(mostPauseMs, fault.retryAfterMs ?? pausesMs[sending.attempts - 1] ?? 10_000)
    await store.commit([claim, putOutbox({ ...failed.row, state: 'pending' }, begun.version)])
    throw new SkeinError('adapter.unavailable', 'The message could not be sent.', { details: { retryAfterMs }, cause: error })
  }
}

/** Nobody knows what became of the last attempt. */
const cutShort = (row: OutboxRow): OutboxRow => ({
  ...row,
  lastError: row.lastError ?? { code: 'adapter.unavailable', message: 'The last attempt was cut short.' },
})

function delivered(parts: Delivering, { row, version }: StoredOutbox, messageId: unknown): JobDone {
  const { lastError: _was, ...rest } = row
  const id = typeof messageId === 'string' && messageId !== '' ? messageId : undefined
  const ended: OutboxRow = { ...rest, state: 'delivered', endedAt: parts.clock.now(), ...given({ messageId: id }) }
  parts.tell('delivery_ended', ended)
  return { result: { delivered: row.id }, effects: [putOutbox(ended, version)] }
}

function abandon(parts: Delivering, { row, version }: StoredOutbox, reason: string): JobDone {
  const ended: OutboxRow = { ...row, state: 'abandoned', reason, endedAt: parts.clock.now() }
  parts.tell('delivery_abandoned', ended)
  return { result: { abandoned: row.id, reason } satisfies Json, effects: [putOutbox(ended, version)] }
}

function faultOf(error: unknown): SendFault {
  if (!isObject(error) && !(error instanceof Error)) return {}
  const { permanent, retryAfterMs } = error as SendFault
  const waits = typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs) && retryAfterMs >= 0
  return { permanent: permanent === true, ...(waits ? { retryAfterMs } : {}) }
}

const toldOf = (error: unknown): { code: string; message: string } => ({
  code: isSkeinError(error) ? error.code : 'adapter.unavailable',
  message: messageOf(error).slice(0, 500),
})
