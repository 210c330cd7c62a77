import { type Timers, within } from '#kernel'
import type { MapId } from './map-rows.ts'
import { type Begun, type Changes, type MapRun, mapRun } from './map-run.ts'

interface Going {
  readonly run: MapRun<unknown>
  readonly begun: Promise<Begun>
  readonly over: Promise<unknown>
}

/** The maps that go on in this process, over all tenants. */
export class RunningMaps {
  readonly #going = new Map<string, Going>()
  readonly #timers: Timers

  constructor(timers: Timers) {
    this.#timers = timers
  }

  get(tenant: string, map: string): MapRun<unknown> | undefined {
    return this.#going.get(`${tenant} ${map}`)?.run
  }

  /** Keeps a map until it is over; its own `result()` tells how that was. */
  add<O>(tenant: string, map: MapId, begun: Promise<Begun>, changes: Changes): MapRun<O> {
    const key = `${tenant} ${map}`
    const run = mapRun<O>(map, begun, changes, () => this.#going.delete(key))
    const over = begun.then(async ({ over }) => await over).catch(() => undefined)
    this.#going.set(key, { run: run as MapRun<unknown>, begun, over })
    return run
  }

  /** Begins no more items and gives those that are being worked on `waitMs`; what is not done then can be resumed. */
  async stop(waitMs: number): Promise<void> {
    const all = [...this.#going.values()]
    const each = (tell: (runner: NonNullable<Begun['runner']>) => void): void => {
      for (const { begun } of all)
        begun.then(
          ({ runner }) => runner !== undefined && tell(runner),
          () => undefined,
        )
    }
    const over = Promise.all(all.map(going => going.over))
    each(runner => runner.drain())
    await within(this.#timers, waitMs, over, () => undefined)
    each(runner => runner.abort(new Error('Skein was closed.')))
    await over
  }
}
