import { isSkeinError, type RunId, SkeinError, type TurnId } from '#kernel'
import type { SessionCore } from '#session'

/** Who cancelled a run; `left`: nobody, it is another process's to carry on. */
export type CancelReason = 'user_cancelled' | 'parent_cancelled' | 'left'

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

  /** Whose doing the end is, and whether the run is left to recovery instead of being ended. */
  #reason: CancelReason = 'user_cancelled'
  #leaving = false

  get reason(): CancelReason {
    return this.#reason
  }

  get leaving(): boolean {
    return this.#leaving
  }

  /** The first who ends it says why. */
  cancel(reason: CancelReason = 'user_cancelled'): void {
    if (!this.#cancel.signal.aborted) this.#reason = reason
    this.#cancel.abort(new SkeinError('session.closed', 'The run was cancelled.', { details: { reason: this.#reason } }))
  }

  abort(reason: CancelReason = 'user_cancelled'): void {
    this.#abort.abort(new SkeinError('session.closed', 'The run was aborted.'))
    this.cancel(reason)
  }

  /** Stops what goes on here, of a run that another process carries on. */
  leave(): void {
    this.#leaving = true
    this.abort('left')
  }

  end(): void {
    this.#done()
  }
}

/** Whether what a run of this process waits for is to stay for whoever carries the run on. */
export const isLeft = ({ aborted, reason }: AbortSignal): boolean =>
  aborted && isSkeinError(reason) && reason.details['reason'] === 'left'

export interface ActiveRun {
  readonly id: RunId
  readonly turn: TurnId
  readonly control: RunControl
  /** How far what it was told may be trusted. */
  trust(): string
}

const active = new WeakMap<SessionCore, ActiveRun>()

/** The run that goes on in this process, whoever began it. */
export function activeRunOf(core: SessionCore): ActiveRun | undefined {
  const run = active.get(core)
  return run !== undefined && core.activeRun === run.id ? run : undefined
}

/** From now until its control ends, this is the session's run. */
export function setActiveRun(core: SessionCore, run: ActiveRun): void {
  active.set(core, run)
  void run.control.over.then(() => active.get(core) === run && active.delete(core))
}
