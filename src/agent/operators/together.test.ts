import { manualClock, manualTimers } from '#kernel'
import { memoryStore } from '#journal'
import { scriptedModel } from '#models'
import { openSkein } from '#skein'
import { expect, it } from 'vitest'

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const schema = { type: 'integer' } as const
const answers = (count: number) => Array.from({ length: count }, () => ({ text: '1' }))

it('is worked on by two processes at once, each item by one of them', async () => {
  const store = memoryStore()
  await using one = await openSkein({ store, worker: false })
  await using two = await openSkein({ store, worker: false })
  const models = [scriptedModel(answers(100)), scriptedModel(answers(100))] as const
  const inputs = Array.from({ length: 100 }, (_, n) => n)
  const map = one.operators.llmMap({ inputs, prompt: '{{item}}', schema, model: models[0], concurrency: 4 })
  await map.receipt
  const other = two.operators.resume(map.id, { model: models[1], concurrency: 4 })
  const [here, there] = await Promise.all([all(map), all(other)])
  expect(here.map(({ index }) => index).sort((a, b) => a - b)).toEqual(inputs)
  expect(there).toEqual(here)
  expect(models[0].requests.length + models[1].requests.length).toBe(100)
  expect(Math.min(...models.map(({ requests }) => requests.length))).toBeGreaterThan(0)
  expect(await other.result()).toEqual(await map.result())
})

it('waits for the lease of whoever works on an item, and takes it over when that lapses', async () => {
  const clock = manualClock()
  const store = memoryStore({ clock })
  const timers = manualTimers()
  await using dead = await openSkein({ store, clock, worker: false })
  await using heir = await openSkein({ store, clock, timers, worker: false })
  const hanging = scriptedModel([{ hang: true }])
  const map = dead.operators.llmMap({ inputs: [0], prompt: '{{item}}', schema, model: hanging })
  await expect.poll(() => hanging.requests.length).toBe(1)
  const model = scriptedModel(answers(1))
  const heirs = heir.operators.resume(map.id, { model })
  await expect.poll(() => timers.count).toBeGreaterThan(1)
  expect(model.requests.length).toBe(0)
  clock.advance(15_000)
  timers.ring(15_000)
  expect(await heirs.result()).toEqual({ map: map.id, total: 1, succeeded: 1, failed: 0 })
  expect(model.requests.length).toBe(1)
  // What the one that was thought dead would say now counts no more.
  await dead.close({ waitMs: 0 })
  expect((await heir.operators.results(map.id)).items.length).toBe(1)
})
