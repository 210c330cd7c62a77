import type { Entry } from '#journal'
import { openSkein, type Skein } from '#skein'
import { verifies } from '#verifies'
import { afterEach, describe, expect } from 'vitest'
import { writeBundle } from './formats/bundle.ts'

const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
})

async function open(): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false })
  opened.push(skein)
  return skein
}

type Change = (entry: Entry) => Entry | undefined

/** A bundle whose checksums are right and whose content was changed before they were counted. */
async function forged(skein: Skein, id: string, change: Change): Promise<string> {
  const store = skein.store.in('default')
  const session = await skein.sessions.open(id)
  const row = await store.session(session.id)
  if (row === undefined) throw new Error('The session is gone.')
  const entries = (await store.entries(session.id, { limit: 5_000 })).map(entry => change(entry) ?? entry)
  let text = ''
  for await (const line of writeBundle(row, entries, ids => store.blobs(ids))) text += line
  return text
}

const withData =
  (type: string, patch: Record<string, unknown>): Change =>
  entry =>
    entry.type === type ? { ...entry, data: { ...(entry.data as object), ...patch } } : undefined

async function sample(skein: Skein): Promise<string> {
  const session = await skein.sessions.create({ tags: ['t'] })
  const usage = { inputTokens: 3, outputTokens: 4 }
  const { entries } = await session.record({ user: 'a', assistant: 'b', usage, cost: 5 })
  await session.moveTo(entries[1]?.id ?? 'ent_')
  await session.setTools([{ name: 'x', description: 'X.', inputSchema: {} }])
  return session.id
}

describe('a bundle with true checksums and false content', () => {
  const lies: Record<string, Change> = {
    'a message without parts': withData('message_added', { parts: undefined }),
    'a text that is none': withData('message_added', { parts: [{ type: 'text', text: 5 }] }),
    'a role that is none': withData('message_added', { role: 'root' }),
    'tokens that are text': withData('usage_recorded', { usage: { inputTokens: '5' } }),
    'a negative cost': withData('usage_recorded', { cost: -1 }),
    'a cost in fractions': withData('usage_recorded', { cost: 0.5 }),
    'tools that are no list': withData('tools_changed', { tools: 'x' }),
    'a parent that is no id': withData('session_created', { parent: '../x' }),
    'tags that are no texts': withData('session_created', { tags: [{}] }),
    'a turn without its index': withData('turn_started', { index: null }),
    'wrong counts at a message': entry =>
      entry.type === 'message_added' ? { ...entry, totals: { messages: 9, turns: 9, tokens: 9 } } : undefined,
    'wrong counts at a moved leaf': entry =>
      entry.type === 'leaf_moved' ? { ...entry, totals: { messages: 9, turns: 9, tokens: 9 } } : undefined,
    'tokens in fractions': entry => (entry.type === 'message_added' ? { ...entry, tokens: 0.5 } : undefined),
  }
  for (const [what, change] of Object.entries(lies)) {
    verifies('S14', `is refused with its line for ${what}, and stores nothing`, async () => {
      const skein = await open()
      const bundle = await forged(skein, await sample(skein), change)
      const target = await open()
      await expect(target.sessions.import('skein', bundle)).rejects.toMatchObject({
        code: 'input.invalid',
        details: { line: expect.any(Number) as number },
      })
      expect((await target.sessions.list()).items).toEqual([])
      expect((await target.store.check()).entries).toBe(0)
    })
  }

  verifies('S11', 'may name its session as its own parent, and nothing runs in circles', async () => {
    const skein = await open()
    const id = await sample(skein)
    const bundle = await forged(skein, id, withData('session_created', { parent: id }))
    const { sessions } = await open()
    const { session } = await sessions.import('skein', bundle)
    expect((await session.usage({ tree: true })).requests).toBe(1)
    await expect(sessions.create({ parent: session.id })).rejects.toMatchObject({ code: 'input.invalid' })
  })
})

describe('importing', () => {
  verifies('S13', 'the same bundle at once gives all of them one whole session', async () => {
    const skein = await open()
    const session = await skein.sessions.create()
    for (let at = 0; at < 3; at++)
      await session.append(Array.from({ length: 800 }, (_, index) => ({ role: 'user', content: `${at}.${index}` })))
    const bundle = await session.export('skein')
    const target = await open()
    await Promise.all(Array.from({ length: 4 }, () => target.sessions.import('skein', bundle)))
    const body = (text: string): string => text.slice(text.indexOf('\n'))
    expect(body(await (await target.sessions.open(session.id)).export('skein'))).toBe(body(bundle))
    expect((await target.store.check({ deep: true })).findings).toEqual([])
  })

  verifies('S13', 'gives the state and the metadata that came of many entries, too', async () => {
    const skein = await open()
    const session = await skein.sessions.create()
    await session.annotate({ metadata: { a: { b: 1 } } })
    await session.annotate({ metadata: { a: { c: 2 } } })
    await session.end('over')
    await skein.sessions.delete(session.id)
    const back = await skein.sessions.restore(session.id)
    const { session: copy } = await (await open()).sessions.import('skein', await back.export('skein'))
    const [before, after] = [await back.info(), await copy.info()]
    expect(after.state).toBe('ended')
    expect(after.metadata).toEqual({ a: { b: 1, c: 2 } })
    expect(after).toEqual(before)
  })
})
