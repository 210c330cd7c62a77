import { describe, expect, it } from 'vitest'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { createHandler } from './index.ts'

const tokens = [
  { name: 'all', secret: 'secret-of-all' },
  { name: 'one', secret: 'secret-of-one', owners: ['ann'] },
] as const

const open = async () => {
  const skein = await openSkein({ store: 'memory:', memory: { commit: 'manual' } })
  const handler = createHandler(skein, { tokens })
  const ask = async (path: string, { token = 'secret-of-all', body }: { token?: string; body?: unknown } = {}) => {
    const response = await handler(
      new Request(`http://localhost/v1/memory${path}`, {
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      }),
    )
    return { status: response.status, value: (await response.json()) as Record<string, unknown> }
  }
  return { skein, ask, [Symbol.asyncDispose]: () => skein.close() }
}

describe('memory over HTTP', () => {
  it('learns, lists, finds, tells the history and the ranges, and rewinds', async () => {
    await using server = await open()
    const session = await server.skein.sessions.create({ user: 'ann' })
    await session.append([{ role: 'user', content: 'My name is Ann. I prefer tea.' }])
    expect((await server.ask('/pending')).value).toMatchObject({ items: [{ session: session.id, extractedTo: 0 }] })
    const queued = await server.ask('/extract', { body: { session: session.id } })
    expect(queued).toMatchObject({ status: 200, value: { session: session.id, extraction: 'queued' } })
    await server.skein.jobs.idle()
    expect((await server.ask('/pending')).value).toEqual({ items: [] })
    const { items } = (await server.ask('?owner=ann&categories=profile')).value as { items: { uri: string }[] }
    expect(items).toMatchObject([{ uri: 'skein://default/user/ann/profile/name', content: 'Ann', validTo: null }])
    expect(await server.ask('/search?query=tea&owner=ann&limit=5')).toMatchObject({
      status: 200,
      value: { items: [{ key: 'tea', legs: { fts: 1 } }], degraded: [] },
    })
    const history = await server.ask(`/${encodeURIComponent(items[0]?.uri ?? '')}/history`)
    expect(history).toMatchObject({ status: 200, value: { items: [{ version: 1, content: 'Ann' }] } })
    expect(await server.ask(`/ranges?session=${session.id}&state=ok`)).toMatchObject({
      value: { items: [{ state: 'ok', counts: { candidates: 2, applied: 2 } }] },
    })
    expect(await server.ask('/rewind', { body: { session: session.id, seq: 1 } })).toMatchObject({ status: 200, value: true })
    expect(await server.ask('/rewind', { body: { session: session.id, seq: 999 } })).toMatchObject({ status: 200, value: false })
    expect(await server.ask('/mem_01ARZ3NDEKTSV4RRFFQ69G5FAV/history')).toMatchObject({
      status: 404,
      value: { error: { code: 'memory.not_found' } },
    })
    expect((await server.ask('/search?query=tea&limit=51')).status).toBe(400)
    expect((await server.ask('/search?query=')).value).toEqual({ items: [], degraded: [] })
  })

  it('takes back what was learnt, erases, and keeps the receipts', async () => {
    await using server = await open()
    const session = await server.skein.sessions.create({ user: 'ann' })
    await session.append([{ role: 'user', content: 'My name is Ann. I prefer tea.' }])
    await server.skein.memory.extract(session.id)
    await server.skein.jobs.idle()
    const { items } = await server.skein.memory.list('ann', { categories: ['profile'] })
    const undone = await server.ask('/undo', { body: { memory: items[0]?.id } })
    expect(undone).toMatchObject({ status: 200, value: { of: 'undo', retired: [{ id: items[0]?.id }], kept: [] } })
    expect((await server.ask(`/receipts/${String(undone.value['id'])}`)).value).toEqual(undone.value)
    expect((await server.ask('/undo', { body: { memory: items[0]?.id, job: 'job_x' } })).status).toBe(400)
    const erased = await server.ask('/erase', { body: { session: session.id } })
    expect(erased).toMatchObject({ status: 200, value: { of: 'erase', state: 'done', sessions: 1, memories: 2 } })
    expect((await server.ask(`/receipts/${String(erased.value['id'])}`)).value).toEqual(erased.value)
    expect(await server.ask('/erase', { body: { session: session.id } })).toMatchObject({
      status: 404,
      value: { error: { code: 'session.not_found' } },
    })
    expect((await server.ask('/erase', { token: 'secret-of-one', body: { user: 'ben' } })).value).toMatchObject({ sessions: 0 })
    for (const body of [{}, { user: 'ann', memory: 'x' }, { session: session.id, entries: [] }])
      expect((await server.ask('/erase', { body })).status).toBe(400)
    expect((await server.ask('/receipts/evt_nothing')).status).toBe(404)
  })

  verifies('M76', 'a token that is bound to an owner gets of another what an unknown owner gives', async () => {
    await using server = await open()
    for (const user of ['ann', 'ben']) {
      const session = await server.skein.sessions.create({ user })
      await session.append([{ role: 'user', content: `My name is ${user}. I prefer tea.` }])
      await server.skein.memory.extract(session.id)
      await server.skein.jobs.idle()
      await session.append([{ role: 'user', content: 'Not learnt yet.' }])
    }
    const token = 'secret-of-one'
    const [ben] = (await server.skein.memory.list('ben')).items
    const reads = [
      '?owner=OWNER',
      '/search?query=tea&owner=OWNER',
      '/skein%3A%2F%2Fdefault%2Fuser%2FOWNER%2Fprofile%2Fname/history',
    ]
    for (const path of reads) {
      const [theirs, unknown] = await Promise.all(
        ['ben', 'nobody'].map(async owner => await server.ask(path.replace('OWNER', owner), { token })),
      )
      const withoutNames = (answer: unknown): string => JSON.stringify(answer).replaceAll(/ben|nobody|req_\w+/g, '')
      expect(withoutNames(theirs)).toBe(withoutNames(unknown))
    }
    expect((await server.ask(`/${ben?.id}/history`, { token })).status).toBe(404)
    expect((await server.ask('/ranges', { token })).value['items']).toHaveLength(1)
    expect((await server.ask('/pending', { token })).value['items']).toHaveLength(1)
    expect(JSON.stringify((await server.ask('/search?query=tea', { token })).value)).not.toContain('ben')
    expect((await server.ask('/pending')).value['items']).toHaveLength(2)
  })
})
