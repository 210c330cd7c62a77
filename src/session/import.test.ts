import { openSkein, type Skein } from '#skein'
import { verifies } from '#verifies'
import { afterEach, describe, expect, it } from 'vitest'

const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
})

async function open(): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false })
  opened.push(skein)
  return skein
}

async function bundleOf(entries: number): Promise<string> {
  const session = await (await open()).sessions.create({ id: 'chat' })
  if (entries > 0)
    await session.append(Array.from({ length: entries }, (_, at) => ({ role: 'user' as const, content: `say ${at}` })))
  return await session.export('skein')
}

const pi = `{"type":"session","version":3,"id":"0198","timestamp":"2025-01-01T00:00:00.000Z","cwd":"/x"}
{"type":"message","id":"a","parentId":null,"timestamp":"2025-01-01T00:00:01.000Z","message":{"role":"user","content":"hi","timestamp":1735689601000}}
`
/** A text in pieces of a size, as it may come over a wire. */
async function* cut(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield await Promise.resolve(text.slice(at, at + size))
}

describe('importing with a key', () => {
  for (const format of ['skein', 'pi'] as const) {
    verifies('J23', `gives one ${format} session as new, however often and however cut it comes`, async () => {
      const text = format === 'skein' ? await bundleOf(3) : pi
      const { sessions, store } = await open()
      const first = await sessions.import(format, text, { as: 'new', idempotencyKey: 'k' })
      const again = await sessions.import(format, cut(text, 7), { as: 'new', idempotencyKey: 'k' })
      expect({ ...again, session: null }).toEqual({ ...first, session: null })
      expect((await sessions.list()).items).toHaveLength(1)
      expect((await store.check({ deep: true })).findings).toEqual([])
      const other = await sessions.import(format, text, { as: 'new', idempotencyKey: 'other' })
      expect(other.id).not.toBe(first.id)
    })
  }

  verifies('J23', 'gives one session to those that come at once', async () => {
    const text = await bundleOf(3)
    const { sessions, store } = await open()
    const all = await Promise.all(
      Array.from({ length: 8 }, () => sessions.import('skein', text, { as: 'new', idempotencyKey: 'k' })),
    )
    expect(new Set(all.map(({ id }) => id)).size).toBe(1)
    expect((await sessions.list()).items).toHaveLength(1)
    expect((await store.check({ deep: true })).sessions).toBe(1)
  })

  verifies('J24', 'refuses another input, format or way under the same key, and stores nothing of it', async () => {
    const text = await bundleOf(3)
    const { sessions } = await open()
    await sessions.import('skein', text, { as: 'new', idempotencyKey: 'k' })
    const mismatch = { code: 'idempotency.mismatch' }
    await expect(sessions.import('skein', text, { idempotencyKey: 'k' })).rejects.toMatchObject(mismatch)
    await expect(sessions.import('pi', pi, { as: 'new', idempotencyKey: 'k' })).rejects.toMatchObject(mismatch)
    await expect(sessions.import('skein', await bundleOf(2), { as: 'new', idempotencyKey: 'k' })).rejects.toMatchObject(mismatch)
    expect((await sessions.list()).items).toHaveLength(1)
  })

  verifies('J23', 'answers for a session that was here before, too', async () => {
    const text = await bundleOf(3)
    const { sessions } = await open()
    await sessions.import('skein', text)
    const first = await sessions.import('skein', text, { idempotencyKey: 'k' })
    expect(first.created).toBe(false)
    await sessions.delete(first.id, { erase: true })
    await expect(sessions.import('skein', text, { idempotencyKey: 'k' })).rejects.toMatchObject({ code: 'session.not_found' })
  })
})

describe('importing at once', () => {
  for (const [format, entries] of [
    ['skein', 0],
    ['skein', 2_400],
    ['pi', 0],
  ] as const) {
    verifies('S13', `a ${format} session of ${entries} messages for the first time gives all the same one`, async () => {
      const text = format === 'skein' ? await bundleOf(entries) : pi
      const { sessions, store } = await open()
      const all = await Promise.all(Array.from({ length: 4 }, () => sessions.import(format, text)))
      expect(new Set(all.map(({ id }) => id)).size).toBe(1)
      expect(all.filter(({ created }) => created)).toHaveLength(1)
      expect(new Set(all.map(({ entries }) => entries)).size).toBe(1)
      expect((await store.check({ deep: true })).findings).toEqual([])
    })
  }

  verifies('S13', 'with one that breaks off is done by the next', async () => {
    const text = await bundleOf(1_500)
    const { sessions } = await open()
    const broken = sessions.import('skein', cut(text.slice(0, -200), 65_536))
    const whole = sessions.import('skein', text)
    await expect(broken).rejects.toMatchObject({ code: 'input.invalid' })
    expect(await whole).toMatchObject({ created: true, messages: 1_500 })
  })
})

describe('background work of the verbs', () => {
  it('carries the trace of the call that asked for it', async () => {
    const { sessions, jobs } = await open()
    const session = await sessions.create()
    const fork = await session.fork({ traceId: 'trace-f' })
    const { session: copy } = await sessions.import('skein', await session.export('skein'), { as: 'new', traceId: 'trace-i' })
    await sessions.delete(session.id, { traceId: 'trace-d' })
    const back = await sessions.restore(session.id, { traceId: 'trace-r' })
    const told = [...(await jobs.list({ kind: 'store.sweep' })), ...(await jobs.list())]
    expect(told.map(({ key, traceId }) => [key, traceId])).toEqual([
      [copy.id, 'trace-i'],
      [fork.id, 'trace-f'],
      [session.id, 'trace-d'],
    ])
    expect((await fork.entries({ types: ['session_forked'] }))[0]?.traceId).toBe('trace-f')
    expect((await back.entries({ types: ['session_restored'] }))[0]?.traceId).toBe('trace-r')
  })

  it('is not told of where nobody asked for it, nor waited for', async () => {
    const { sessions, jobs } = await open()
    const session = await sessions.create()
    await session.fork()
    expect(await jobs.list()).toEqual([])
    await jobs.idle({}, { waitMs: 0 })
    await sessions.delete(session.id)
    for (let at = 0; at < 3; at++) await (await sessions.create()).fork()
    expect((await jobs.list({ limit: 1 })).map(({ key }) => key)).toEqual([session.id])
  })
})
