import type { Summary } from '#journal'
import { openSkein } from '#skein'
import { describe, expect, it } from 'vitest'
import { createHandler } from './index.ts'

describe('a context over HTTP', () => {
  it('is compacted, read back, explained, searched and audited', async () => {
    const skein = await openSkein({ store: 'memory:', worker: false })
    const handler = createHandler(skein)
    const session = await skein.sessions.create({ context: { keepTokens: 500, leafTokens: 2_000 } })
    for (let n = 0; n < 12; n++)
      await session.record({
        user: `question ${n} ${'of many words '.repeat(60)}`,
        assistant: `answer ${n} ${'at length '.repeat(60)}`,
      })
    const ask = async <T>(path: string, body?: unknown): Promise<T> => {
      const answer = await handler(
        new Request(`http://localhost/v1/sessions/${session.id}/${path}`, {
          ...(body === undefined
            ? {}
            : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
        }),
      )
      expect([path, answer.status]).toEqual([path, 200])
      return (await answer.json()) as T
    }
    expect(await ask('compact', { dryRun: true })).toMatchObject({ status: 'done' })
    const { id } = await ask<{ id: string }>('compact', { targetTokens: 1_000 })
    const { items } = await ask<{ items: (Summary & { shown: boolean })[] }>('summaries')
    const first = items.find(summary => summary.shown && summary.kind === 'leaf') as Summary
    const { content } = await ask<{ content: string }>(`expand/${first.id}?unit=lines&limit=3`)
    expect(content).toContain(first.covers.first)
    const part = encodeURIComponent(`${first.covers.first}#0`)
    expect((await ask<{ content: string }>(`expand/${part}`)).content).toMatch(/^question \d/)
    expect(await ask(`explain/${part}`)).toMatchObject({ shown: 'summary', via: [first.id], since: id, reason: null })
    expect(await ask('recall?query=question%200&limit=1')).toMatchObject({
      hits: [{ shown: 'summary', excerpt: expect.any(String) }],
    })
    expect(await ask('audit')).toMatchObject({ entries: 24, missing: [], findings: [] })
    expect(await ask('turns?limit=2')).toMatchObject({ items: [{ index: 0 }, { index: 1 }], next: 1 })
    const context = await ask<{ items: { shown: string }[]; version: number }>('context?explain=true')
    expect(context.items.some(item => item.shown === 'summary')).toBe(true)
    expect(await ask('unprune', { refs: [] })).toEqual({ restored: [], version: context.version })
    await skein.close()
  })
})
