import { type RunId, SkeinError } from '#kernel'
import type { SessionCore } from '#session'

/** How a run of this process is ended from outside. */
export class RunControl {
  readonly #cancel = new AbortController()
  readonly #abort = new AbortController()
  #done: () => void = () => undefined
  /** Resolves when the run has ended, or was never begun. */
  readonly over: Promise<void> = new Promise(resolve => (this.#done = resolve))

  /** Tells the provider and the tools to stop. */
  get cancelled(): AbortSignal {
    return this.#cancel.signal
  }

  /** Nothing is waited for any more. */
  get aborted(): AbortSignal {
    return this.#abort.signal
  }

  cancel(): void {
    this.#cancel.abort(new SkeinError('session.closed', 'The run was cancelled.'))
  }

  abort(): void {
    this.#abort.abort(new SkeinError('session.closed', 'The run was aborted.'))
    this.cancel()
  }

  end(): void {
    this.#done()
  }
}

export interface ActiveRun {
  readonly id: RunId
  readonly control: RunControl
}

const active = new WeakMap<SessionCore, ActiveRun>()

/** The run that goes on in this process, whoever began it. */
export function activeRunOf(core: SessionCore): ActiveRun | undefined {
  const run = active.get(core)
  return run !== undefined && core.activeRun === run.id ? run : undefined
}

export const setActiveRun = (core: SessionCore, run: ActiveRun): void => void active.set(core, run)
