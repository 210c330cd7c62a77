import { memoryStore, type Store } from '#journal'
import { verifies } from '#verifies'
import { describe, expect, it } from 'vitest'
import { readFactor, sampleChange } from './calibrate.ts'
import type { Runtime } from './runtime.ts'

/** A process of its own, as far as calibration knows one. */
const processOn = (store: Store, tenant = 'default'): Parameters<typeof readFactor>[0] => ({
  store: store.in(tenant),
  runtime: {} as Runtime,
})

async function sample(core: Parameters<typeof readFactor>[0], reported: number | null, times = 1): Promise<void> {
  for (let n = 0; n < times; n++) {
    const change = await sampleChange(core, 'a/b', reported, 1_000)
    if (change !== undefined) await core.store.commit([change])
  }
}

describe('a model’s calibration', () => {
  verifies('C5', 'is 1 until there are three samples, their median afterwards, and survives reopening', async () => {
    const store = memoryStore()
    const core = processOn(store)
    await sample(core, 1_300, 2)
    expect(await readFactor(core, 'a/b')).toBe(1)
    await sample(core, 1_300, 18)
    expect(await readFactor(core, 'a/b')).toBe(1.3)
    expect(await readFactor(processOn(store), 'a/b')).toBe(1.3)
    expect(await readFactor(processOn(store), 'a/other')).toBe(1)
    expect(await readFactor(processOn(store, 'other'), 'a/b')).toBe(1)
    expect(await readFactor(core, null)).toBe(1)
  })

  verifies('C5', 'takes no sample of a usage that is zero or missing', async () => {
    const core = processOn(memoryStore())
    await sample(core, 0, 5)
    await sample(core, null, 5)
    expect((await core.store.records('calibration')).items).toEqual([])
  })

  it('of two processes loses no commit, and builds on what the other stored', async () => {
    const store = memoryStore()
    const [one, two] = [processOn(store), processOn(store)]
    await readFactor(one, 'a/b')
    await sample(two, 2_000, 2)
    await sample(one, 2_000, 1)
    expect(await readFactor(one, 'a/b')).toBe(2)
    const both = await Promise.all([sampleChange(one, 'a/b', 1_000, 1_000), sampleChange(two, 'a/b', 1_000, 1_000)])
    for (const change of both) if (change !== undefined) await store.in('default').commit([change])
    expect((await store.in('default').record('calibration', 'a/b'))?.value).toEqual({ samples: [2, 2, 2, 1] })
  })

  it('reads around a record that is none of its own', async () => {
    const store = memoryStore()
    await store
      .in('default')
      .commit([{ type: 'put_record', collection: 'calibration', key: 'a/b', value: { samples: ['x', 2, null] } }])
    expect(await readFactor(processOn(store), 'a/b')).toBe(1)
  })
})
