import { createIds } from '#kernel'
import type { Message } from '#journal'
import { scriptedModel } from '#models'
import { openSkein, type Session, type Skein } from '#skein'
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

const ids = createIds()

/** Puts a message of a later release on the branch. */
async function addFromTheFuture(skein: Skein, session: Session): Promise<void> {
  const store = skein.store.in('default')
  const row = await store.session(session.id)
  if (row === undefined) throw new Error('The session is gone.')
  const entry = {
    id: ids('ent'),
    parentId: row.leafId,
    type: 'message_added',
    v: 99,
    at: row.updatedAt,
    totals: row.totals,
    data: { say: 'x' },
  }
  await store.commit([
    { type: 'acquire', session: session.id, owner: 'future', leaseMs: 60_000 },
    { type: 'append', session: session.id, entries: [entry], fence: { of: 0 }, head: { setsLeaf: entry.id } },
  ])
  const { lease } = (await store.session(session.id)) ?? row
  await store.release({ session: session.id, owner: 'future', token: lease.token })
}

describe('a message of a later release', () => {
  verifies('J7', 'hides nothing before it, on no page, and is no message of a context', async () => {
    const skein = await open()
    const session = await skein.sessions.create()
    await session.append(Array.from({ length: 5 }, (_, at) => ({ role: 'user', content: `m${at}` })))
    await session.close()
    await addFromTheFuture(skein, session)
    const again = await skein.sessions.open(session.id)
    const texts: string[] = []
    for (let before: `ent_${string}` | undefined, more = true; more; more = before !== undefined) {
      const page = await again.messages({ limit: 2, ...(before === undefined ? {} : { before }) })
      texts.unshift(...page.items.flatMap(message => message.parts.flatMap(part => (part.type === 'text' ? [part.text] : []))))
      before = page.next
    }
    expect(texts).toEqual(['m0', 'm1', 'm2', 'm3', 'm4'])
    const { messages } = await again.context({ format: 'skein' })
    expect((messages as Message[]).flatMap(({ parts }) => parts)).toHaveLength(5)
  })
})

describe('a context', () => {
  it('asked for without a system prompt leaves the next one its own', async () => {
    const model = scriptedModel(['ok'])
    const session = await (await open()).sessions.create({ system: 'Be brief.', modelOverride: model })
    await session.append({ role: 'user', content: 'x' })
    expect((await session.context({ system: null })).system).toBeNull()
    expect((await session.context()).system).toBe('Be brief.')
  })
})

describe('tools', () => {
  const wrong: unknown[] = [
    null,
    'x',
    [null],
    [{ name: 'x' }],
    [{ name: 5, description: '', inputSchema: {} }],
    [{ name: 'x', description: '' }],
  ]
  for (const tools of wrong) {
    it(`are refused before any effect: ${JSON.stringify(tools)}`, async () => {
      const session = await (await open()).sessions.create()
      const { seq } = await session.info()
      await expect(session.setTools(tools as never)).rejects.toMatchObject({ code: 'input.invalid' })
      await expect(session.context({ tools: tools as never })).rejects.toMatchObject({ code: 'input.invalid' })
      expect((await session.info()).seq).toBe(seq)
      expect((await session.context()).tools).toEqual([])
    })
  }
})

describe('a filter of the wrong type', () => {
  for (const name of ['query', 'user', 'agent', 'platform', 'cwd', 'tag', 'sort', 'cursor', 'parent', 'limit']) {
    it(`is refused: ${name}`, async () => {
      const { sessions } = await open()
      await sessions.create()
      for (const value of [null, {}, ['x'], Number.NaN])
        await expect(sessions.list({ [name]: value })).rejects.toMatchObject({ code: 'input.invalid' })
    })
  }
})

describe('what a caller claims', () => {
  it('never makes a session unreadable: sums stop where numbers are exact', async () => {
    const skein = await open()
    const session = await skein.sessions.create()
    const most = Number.MAX_SAFE_INTEGER
    for (let at = 0; at < 3; at++) await session.record({ user: 'a', assistant: 'b', usage: { inputTokens: most }, cost: most })
    const [info] = (await skein.sessions.list()).items
    expect(info?.usage).toMatchObject({ requests: 3, usage: { inputTokens: most }, cost: { nano: most } })
    expect((await session.usage({ by: 'model' })).usage.inputTokens).toBe(most)
  })

  it('is refused as a time that no date has', async () => {
    const session = await (await open()).sessions.create()
    await expect(session.append({ role: 'user', content: 'x', at: 8.64e15 + 1 })).rejects.toMatchObject({ code: 'input.invalid' })
    await session.append({ role: 'user', content: 'x', at: 8.64e15 })
    expect(await session.export('markdown')).toContain('x')
    expect(await session.export('pi')).toContain('x')
  })
})
