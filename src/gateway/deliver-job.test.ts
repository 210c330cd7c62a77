import { createIds, manualClock } from '#kernel'
import { type JobRow, memoryStore } from '#journal'
import { verifies } from '#verifies'
import { expect } from 'vitest'
import type { GatewayAdapter } from './adapter.ts'
import { deliverDue } from './deliver-job.ts'
import { deliverKind, outboxChanges, type OutboxRow, outboxRow } from './outbox-row.ts'

verifies('G57', 'leaves it to whoever comes next, once the worker has stopped before anything was sent', async () => {
  const clock = manualClock()
  const house = memoryStore({ clock })
  const store = house.in('default')
  const ids = createIds({ clock })
  const row: OutboxRow = {
    id: ids('out'),
    state: 'pending',
    to: { platform: 'telegram', chatId: '99' },
    text: 'hello',
    kind: 'answer',
    attempts: 0,
    at: clock.now(),
  }
  await store.commit(outboxChanges({ tenant: 'default', ids }, [row]))
  const sent: string[] = []
  const adapter: GatewayAdapter = {
    platform: 'telegram',
    capabilities: {
      maxTextChars: 1_000,
      edits: false,
      typing: false,
      threads: true,
      media: false,
      idempotentSend: false,
      piiSafe: false,
    },
    start: async () => undefined,
    stop: async () => undefined,
    send: async (_to, { text }, { attempt }) => (sent.push(`${attempt}: ${text}`), { messageId: 'm1' }),
  }
  const claimed = async (): Promise<JobRow> => {
    const job = await house.claim({ [deliverKind('default', 'telegram')]: 1 }, 'own_1', 15_000)
    if (job === undefined) throw new Error('Nothing to claim.')
    return job
  }
  const parts = { store, clock, adapter, codeOf: async () => null, tell: () => undefined }

  const worker = new AbortController()
  const stopping = { ...parts, tell: () => worker.abort(new Error('stopped')) }
  const first = await claimed()
  await expect(deliverDue(stopping, first, worker.signal)).rejects.toThrow('stopped')
  expect(sent).toEqual([])
  expect((await outboxRow(store, row.id))?.row).toMatchObject({ state: 'sending', attempts: 1 })

  await store.commit([{ type: 'release_job', job: first.id, fence: first.fence }])
  await deliverDue(parts, await claimed(), new AbortController().signal)
  expect(sent).toEqual(['2: ♻️ Sent again after a restart; may be a duplicate.\nhello'])
})
