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
  /** Rounds that count, of the contender that has the fewest. */
  readonly kept: number
  /** Of all contenders' rounds, so many were dropped, of so many taken. */
  readonly dropped: number
  readonly taken: number
  /** One contender's metric over another's, each round against the same round. */
  ratio(metric: string, of: string, to: string, toMetric?: string): Spread | undefined
}

export interface Control {
  /** A fixed piece of work for the processor. */
  readonly cpuMs: number
  /** The median of nine small synced writes. */
  readonly syncMs: number
}

/** How many rounds a row stands on. */
export const countOf = ({ kept, dropped, taken }: Rounds): RoundCount => ({ kept, dropped, taken })

export type RoundCount = Pick<Rounds, 'kept' | 'dropped' | 'taken'>

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

/** One contender's round, with the control jobs right before and right after it. */
interface Turn {
  readonly name: string
  readonly round: number
  readonly sample: Sample
  readonly controls: readonly Control[]
}

/**
 * Rounds in turn, A B C A B C, in this process, after one that does not count. A contender's round with a control job beside
 * it beyond twice the median of all is dropped, and counted; more are run, up to three times as many, until each contender
 * has enough. A ratio is made of rounds of the same turn, where both were kept.
 */
export async function takeTurns(contenders: readonly Contender[], { folder, rounds }: Conditions): Promise<Rounds> {
  const turns: Turn[] = []
  for (let round = 0; round === 0 || (fewest(contenders, calmOf(turns)) < rounds && round <= 3 * rounds); round++) {
    let before = control(folder)
    for (const { name, round: measure } of contenders) {
      const sample = await measure(round)
      const after = control(folder)
      if (round > 0) turns.push({ name, round, sample, controls: [before, after] })
      before = after
    }
  }
  const calm = calmOf(turns)
  const kept = fewest(contenders, calm)
  // A machine that is never calm still gives an answer; the count of dropped rounds says what it is worth.
  const used = kept === 0 ? turns : calm
  const values = (name: string, metric: string): number[] =>
    used.flatMap(turn => (turn.name === name ? (turn.sample[metric] ?? []) : [])).filter(Number.isFinite)
  return {
    kept,
    dropped: turns.length - calm.length,
    taken: turns.length,
    spreads: Object.fromEntries(
      contenders.map(({ name }) => {
        const metrics = new Set(used.flatMap(turn => (turn.name === name ? Object.keys(turn.sample) : [])))
        return [name, Object.fromEntries([...metrics].map(metric => [metric, spread(values(name, metric))]))]
      }),
    ),
    ratio(metric, of, to, toMetric = metric) {
      const at = (name: string, round: number): Sample | undefined =>
        used.find(turn => turn.name === name && turn.round === round)?.sample
      const ratios = used.flatMap(turn => {
        const [above, below] = [turn.sample[metric], at(to, turn.round)?.[toMetric]]
        return turn.name !== of || above === undefined || below === undefined || !(below > 0) ? [] : [above / below]
      })
      return ratios.length === 0 ? undefined : spread(ratios)
    },
  }
}

function calmOf(turns: readonly Turn[]): readonly Turn[] {
  const most = (of: keyof Control): number =>
    2 *
    quantile(
      turns.flatMap(turn => turn.controls.map(item => item[of])),
      0.5,
    )
  const [cpuMost, syncMost] = [most('cpuMs'), most('syncMs')]
  return turns.filter(turn => turn.controls.every(({ cpuMs, syncMs }) => cpuMs <= cpuMost && syncMs <= syncMost))
}

const fewest = (contenders: readonly Contender[], turns: readonly Turn[]): number =>
  Math.min(...contenders.map(({ name }) => turns.filter(turn => turn.name === name).length))

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
