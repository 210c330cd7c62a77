import { openSkein, type Skein } from '#skein'
import { describe, expect, it } from 'vitest'
import { createHandler } from './index.ts'

type Ask = <T>(path: string, body?: unknown, headers?: Readonly<Record<string, string>>) => Promise<{ status: number; value: T }>

async function over(skein: Skein, id: string): Promise<Ask> {
  const handler = createHandler(skein)
  return async <T>(path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) => {
    const posted = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
    const answer = await handler(
      new Request(`http://localhost/v1/sessions/${id}/${path}`, { ...(body === undefined ? {} : posted) }),
    )
    return { status: answer.status, value: (await answer.json()) as T }
  }
}

describe('archives over HTTP', () => {
  it('are committed, listed, read and shown', async () => {
    const skein = await openSkein({ store: 'memory:', memory: { commit: 'manual', extractor: 'off' } })
    const session = await skein.sessions.create()
    const ask = await over(skein, session.id)
    expect(await ask('commit', {})).toEqual({ status: 200, value: { archived: false, reason: 'empty' } })
    await session.append([
      { role: 'user', content: 'Fix it' },
      { role: 'assistant', content: 'Done' },
    ])
    const sealed = await ask<{ archive: string }>('commit', { extract: false }, { 'idempotency-key': 'k1' })
    expect(sealed).toMatchObject({ status: 202, value: { archived: true, status: 'sealed', messages: 2 } })
    expect((await ask('commit', { extract: false }, { 'idempotency-key': 'k1' })).value).toEqual(sealed.value)
    await session.append({ role: 'user', content: 'More' })
    const ready = await ask('commit', { wait: true })
    expect(ready).toMatchObject({ status: 200, value: { status: 'ready', overview: expect.any(String) } })
    const page = await ask<{ items: { id: string }[]; next?: string }>('archives?limit=1')
    expect(page.value.items).toHaveLength(1)
    const rest = await ask<{ items: { id: string }[] }>(`archives?limit=1&cursor=${page.value.next ?? ''}`)
    expect(rest.value).toEqual({ items: [expect.objectContaining({ id: sealed.value.archive })] })
    expect((await ask(`archives/${sealed.value.archive}`)).value).toMatchObject({ state: 'ready', abstract: 'Fix it... → Done' })
    expect((await ask('archives/arc_00000000000000000000000000')).status).toBe(404)
    expect((await ask(`expand/${sealed.value.archive}`)).value).toMatchObject({ kind: 'archive' })
    expect((await ask('context?view=archives&maxTokens=500')).value).toMatchObject({
      archives: [{ as: 'abstract' }, { as: 'overview' }],
    })
    expect((await ask('commit', { through: 'ent_00000000000000000000000000' })).status).toBe(404)
    expect((await ask('commit', { keepTurns: -1 })).status).toBe(400)
    await skein.close()
  })

  it('are prepared, committed by token, and sealed by a close', async () => {
    const skein = await openSkein({ store: 'memory:', worker: false, memory: { commit: { maxMessages: 3 }, extractor: 'off' } })
    const session = await skein.sessions.create()
    const ask = await over(skein, session.id)
    const say = (content: string): object => ({ role: 'user', content })
    expect((await ask('after-turn', { messages: [say('a')] })).value).toMatchObject({ status: 'accumulating' })
    expect((await ask('after-turn', { messages: [say('a')], already: 1 })).value).toEqual({ status: 'no_new_messages' })
    const { value } = await ask<{ token: string; archive: string }>('prepare-commit', { ttlMs: 1_000 })
    expect((await ask('prepared')).value).toMatchObject({ token: value.token })
    expect((await ask('commit', { token: 'f'.repeat(32) })).status).toBe(409)
    expect(await ask('commit', { token: value.token })).toMatchObject({ status: 202, value: { archive: value.archive } })
    expect((await ask('prepared')).value).toBeNull()
    expect((await ask('discard-prepared', {})).value).toEqual({ discarded: false })
    expect((await ask('after-turn', { messages: [say('b'), say('c'), say('d')] })).value).toMatchObject({ status: 'queued' })
    await session.append(say('e'))
    expect((await ask('close', { commit: true })).value).toMatchObject({ archived: true, messages: 1, cause: 'close' })
    expect((await ask('close', {})).value).toBeNull()
    await skein.close()
  })
})
