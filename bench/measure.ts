import { createHash } from 'node:crypto'
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** What one round of one contender measured, by name. Times in milliseconds unless the name says otherwise. */
export type Sample = Readonly<Record<string, number>>

/** One that takes part in a row. `round` measures once and leaves things so that it can be measured again. */
export interface Contender {
  readonly name: string
  round(round: number): Promise<Sample> | Sample
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface Rounds {
  /** By contender and metric. */
  readonly spreads: Readonly<Record<string, Readonly<Record<string, Spread>>>>
  readonly kept: number
  readonly dropped: number
  /** One contender's metric over another's, each round against the same round. */
  ratio(metric: string, of: string, to: string, toMetric?: string): Spread | undefined
}

export interface Control {
  /** A fixed piece of work for the processor. */
  readonly cpuMs: number
  /** The median of nine small synced writes. */
  readonly syncMs: number
}

export interface Conditions {
  readonly folder: string
  readonly rounds: number
}

/** Everything else on the machine shows here: the same work and the same writes, whatever is measured between. */
export function control(folder: string): Control {
  const block = Buffer.alloc(4_096, 7)
  const cpuBegan = performance.now()
  const hash = createHash('sha256')
  for (let i = 0; i < 2_000; i++) hash.update(block)
  hash.digest()
  const cpuMs = performance.now() - cpuBegan
  const file = join(folder, 'control')
  const descriptor = openSync(file, 'w')
  const syncs: number[] = []
  for (let i = 0; i < 9; i++) {
    const began = performance.now()
    writeSync(descriptor, block)
    fdatasyncSync(descriptor)
    syncs.push(performance.now() - began)
  }
  closeSync(descriptor)
  rmSync(file)
  return { cpuMs, syncMs: quantile(syncs, 0.5) }
}

interface Round {
  readonly samples: Readonly<Record<string, Sample>>
  readonly controls: readonly Control[]
}

/**
 * Rounds in turn, A B C A B C, in this process, after one that does not count. A round with a control job beyond twice the
 * median of all is dropped whole, and counted; more are run, up to three times as many, until enough are left.
 */
export async function takeTurns(contenders: readonly Contender[], { folder, rounds }: Conditions): Promise<Rounds> {
  const taken: Round[] = []
  for (let round = 0; round === 0 || (calmOf(taken).length < rounds && round <= 3 * rounds); round++) {
    const samples: Record<string, Sample> = {}
    const controls: Control[] = [control(folder)]
    for (const contender of contenders) {
      samples[contender.name] = await contender.round(round)
      controls.push(control(folder))
    }
    if (round > 0) taken.push({ samples, controls })
  }
  const calm = calmOf(taken)
  // A machine that is never calm still gives an answer; the count of dropped rounds says what it is worth.
  const kept = calm.length === 0 ? taken : calm
  const values = (name: string, metric: string): number[] =>
    kept.flatMap(({ samples }) => samples[name]?.[metric] ?? []).filter(Number.isFinite)
  return {
    kept: calm.length,
    dropped: taken.length - calm.length,
    spreads: Object.fromEntries(
      contenders.map(({ name }) => {
        const metrics = new Set(kept.flatMap(({ samples }) => Object.keys(samples[name] ?? {})))
        return [name, Object.fromEntries([...metrics].map(metric => [metric, spread(values(name, metric))]))]
      }),
    ),
    ratio(metric, of, to, toMetric = metric) {
      const ratios = kept.flatMap(({ samples }) => {
        const [above, below] = [samples[of]?.[metric], samples[to]?.[toMetric]]
        return above === undefined || below === undefined || !(below > 0) ? [] : [above / below]
      })
      return ratios.length === 0 ? undefined : spread(ratios)
    },
  }
}

function calmOf(rounds: readonly Round[]): Round[] {
  const controls = rounds.flatMap(round => round.controls)
  const cpuMost =
    2 *
    quantile(
      controls.map(item => item.cpuMs),
      0.5,
    )
  const syncMost =
    2 *
    quantile(
      controls.map(item => item.syncMs),
      0.5,
    )
  return rounds.filter(round => round.controls.every(({ cpuMs, syncMs }) => cpuMs <= cpuMost && syncMs <= syncMost))
}

export function spread(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), min: Math.min(...values), max: Math.max(...values) }
}

export function quantile(values: readonly number[], at: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? NaN
}

/** Appends between two readings of the processor's clock, which the system only brings up to date now and then. */
const chunk = 20

/** Does `work` so many times, one after the other: latency in ms, processor time of this thread and of the process in µs. */
export async function timeEach(times: number, work: (index: number) => Promise<unknown> | void): Promise<Sample> {
  const latencies: number[] = []
  const costs: number[] = []
  const ofProcess = process.cpuUsage()
  const began = performance.now()
  let ofThread = process.threadCpuUsage()
  for (let index = 0; index < times; index++) {
    const start = performance.now()
    const pending = work(index)
    if (pending !== undefined) await pending
    latencies.push(performance.now() - start)
    if ((index + 1) % chunk !== 0) continue
    const { user, system } = process.threadCpuUsage(ofThread)
    costs.push((user + system) / chunk)
    ofThread = process.threadCpuUsage()
  }
  const totalMs = performance.now() - began
  const { user, system } = process.cpuUsage(ofProcess)
  return {
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    mean: totalMs / times,
    cpuP50: quantile(costs, 0.5),
    cpuProcess: (user + system) / times,
  }
}

/** How long one piece of work takes. */
export async function timeOnce(work: () => Promise<unknown> | void): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}
