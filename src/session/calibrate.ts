import { isObject } from '#kernel'
import { addSample, factorOf } from '#context'
import type { PutRecord, TenantStore } from '#journal'
import type { SessionCore } from './core.ts'
import type { Runtime } from './runtime.ts'

/** Records of this kind belong to Skein: one for each model, `{ samples }`. */
export const calibrationCollection = 'calibration'

/** What this process knows of each tenant's models, so that asking for a factor reads a store once. */
const known = new WeakMap<Runtime, Map<string, readonly number[]>>()

type Calibrated = Pick<SessionCore, 'store' | 'runtime'>

/** Model tokens per estimated token; 1 while too little is known. */
export async function readFactor(core: Calibrated, model: string | null): Promise<number> {
  if (model === null) return 1
  const samples = samplesOf(core.runtime).get(keyOf(core, model)) ?? (await readSamples(core, model))
  return factorOf(samples)
}

/**
 * Takes what a provider reported for a request as a sample, and gives the change that keeps it, for the commit that stores the
 * usage. Two processes that do so at once lose a sample at most, never the commit. `undefined`: it is no sample. Law C5.
 */
export async function sampleChange(
  core: Calibrated,
  model: string | null,
  reported: number | null | undefined,
  rawEstimate: number,
): Promise<PutRecord | undefined> {
  if (model === null || addSample([], reported, rawEstimate).length === 0) return undefined
  const samples = addSample(await readSamples(core, model), reported, rawEstimate)
  samplesOf(core.runtime).set(keyOf(core, model), samples)
  return { type: 'put_record', collection: calibrationCollection, key: model, value: { samples: [...samples] } }
}

async function readSamples(core: Calibrated, model: string): Promise<readonly number[]> {
  const record = await core.store.record(calibrationCollection, model)
  const stored = isObject(record?.value) ? record.value['samples'] : undefined
  const samples = Array.isArray(stored) ? stored.filter(sample => typeof sample === 'number') : []
  samplesOf(core.runtime).set(keyOf(core, model), samples)
  return samples
}

const keyOf = ({ store }: { readonly store: TenantStore }, model: string): string => `${store.tenant} ${model}`

function samplesOf(runtime: Runtime): Map<string, readonly number[]> {
  const samples = known.get(runtime) ?? new Map<string, readonly number[]>()
  known.set(runtime, samples)
  return samples
}
