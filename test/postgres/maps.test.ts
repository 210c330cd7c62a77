import { expect, it } from 'vitest'
import { scriptedModel } from '#models'
import { openSkein } from '#skein'
import { postgresStore } from '#stores/postgres'
import { describePostgres, freshDatabase } from './fresh-database.ts'

describePostgres('a map on Postgres', () => {
  it('is worked on by two nodes at once, each item by one of them, and its parent is told once', async () => {
    const database = await freshDatabase()
    const stores = [await postgresStore(database), await postgresStore(database)] as const
    await using one = await openSkein({ store: stores[0], worker: false })
    await using two = await openSkein({ store: stores[1], worker: false })
    const inputs = Array.from({ length: 80 }, (_, n) => n)
    const models = stores.map(() => scriptedModel(inputs.map(() => ({ text: '1', usage: { inputTokens: 1 } }))))
    const parent = await one.sessions.create()
    const options = { prompt: '{{item}}', schema: { type: 'integer' }, concurrency: 8, parent }
    const map = one.operators.llmMap({ ...options, inputs, model: models[0] as (typeof models)[0] })
    await map.receipt
    const other = two.operators.resume(map.id, { model: models[1] as (typeof models)[0] })
    const seen: number[] = []
    for await (const { index } of other) seen.push(index)
    expect(seen.sort((a, b) => a - b)).toEqual(inputs)
    expect(await other.result()).toEqual(await map.result())
    expect(models.flatMap(({ requests }) => requests).length).toBe(80)
    const types = (await parent.entries({ limit: 1_000 })).map(({ type }) => type)
    expect(types.filter(type => type.startsWith('map_'))).toEqual(['map_started', 'map_ended'])
    expect((await parent.usage({ by: 'purpose' })).by).toMatchObject([{ key: 'map', requests: 80, usage: { inputTokens: 80 } }])
    await Promise.all([one.close(), two.close()])
    await Promise.all(stores.map(store => store.close()))
  })
})
