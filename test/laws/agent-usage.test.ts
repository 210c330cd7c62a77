import { SkeinError } from '#kernel'
import { scriptedModel } from '#models'
import { expect } from 'vitest'
import { verifies } from '#verifies'
import { onEveryStore } from './stores.ts'

onEveryStore('what runs used', place => {
  verifies('A52', 'counts each request once over a session and its fork, failed and aborted ones too', async () => {
    const skein = await (await place()).open()
    const usage = { inputTokens: 10, outputTokens: 2 }
    const model = scriptedModel([
      { failure: new SkeinError('provider.rejected', 'No.'), usage },
      { text: 'one', usage },
      { text: 'two', usage, hang: true },
      { text: 'three', usage },
    ])
    const session = await skein.sessions.create({ modelOverride: model })
    expect((await session.send('a').result()).status).toBe('failed')
    await session.send('b').result()
    const hanging = session.send('c')
    for await (const event of hanging) if (event.type === 'text_delta') void hanging.abort()
    expect((await hanging.result()).status).toBe('cancelled')
    const own = await session.usage()
    expect([own.requests, own.usage.inputTokens]).toEqual([3, 30])
    const fork = await session.fork()
    await fork.send('d', { model }).result()
    const ids = async (entries: readonly { readonly data: unknown }[]): Promise<string[]> =>
      entries.map(({ data }) => (data as { requestId: string }).requestId)
    const types = { types: ['usage_recorded'] }
    const all = [...(await ids(await session.entries(types))), ...(await ids(await fork.entries(types)))]
    expect([all.length, new Set(all).size]).toEqual([7, 4])
    expect((await session.usage()).requests).toBe(3)
    expect((await fork.usage()).requests).toBe(1)
    expect((await fork.usage({ by: 'model' })).requests).toBe(1)
  })
})
