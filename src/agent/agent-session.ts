import { given } from '#kernel'
import type { AiSdkModel, ModelPort } from '#models'
import { CoreSession, type SessionCore } from '#session'
import { type AgentPorts, type Run, type SendOptions, startRun } from './send.ts'
import type { Tool } from './tool.ts'

/** What a session of this process runs with and that no journal can hold: a model object and executable tools. */
export interface AgentGear {
  readonly modelOverride?: ModelPort | AiSdkModel
  readonly tools?: readonly Tool[]
  readonly maxSteps?: number
}

/** A session of the face: the durable conversation and its agent. */
export class AgentSession extends CoreSession {
  readonly #core: SessionCore
  readonly #ports: AgentPorts
  #gear: AgentGear = {}
  #run: Run | undefined

  constructor(core: SessionCore, opened: (id: CoreSession['id']) => Promise<CoreSession>, ports: AgentPorts) {
    super(core, opened)
    this.#core = core
    this.#ports = ports
  }

  /** Gives this object its model and tools; they last as long as it does. */
  equip(gear: AgentGear): this {
    this.#gear = { ...this.#gear, ...gear }
    return this
  }

  /** Says something to the agent. The run is an async iterable of its events; `result()` is its end. */
  send(input: unknown, options: SendOptions = {}): Run {
    const { modelOverride, tools = [], maxSteps } = this.#gear
    const run = startRun(this.#core, { ...this.#ports, tools: [...this.#ports.tools, ...tools] }, input, {
      ...given({ model: modelOverride, maxSteps }),
      ...options,
    })
    // A refused input leaves the run that is going on in its place.
    void run.receipt.then(
      ({ disposition }) => {
        if (disposition === 'started') this.#run = run
      },
      () => undefined,
    )
    return run
  }

  /** Ends the run of this process, if there is one: the provider and running tools are told, what came so far is kept. */
  async cancel(): Promise<{ cancelled: boolean }> {
    const running = this.#core.activeRun
    if (running === undefined || this.#run?.id !== running) return { cancelled: false }
    await this.#run.cancel()
    return { cancelled: true }
  }

  /** Like `cancel`, without waiting for what is deaf. */
  async abort(): Promise<{ cancelled: boolean }> {
    return await this.cancel()
  }

  override async close(options: { readonly graceMs?: number } = {}): Promise<void> {
    await this.settle({ graceMs: options.graceMs ?? closeGraceMs })
    await super.close()
  }

  /** A run has `graceMs` to end by itself; then it is cancelled. */
  override async settle({ graceMs }: { readonly graceMs: number }): Promise<void> {
    const run = this.#run
    if (run === undefined || this.#core.activeRun !== run.id) return
    let cancelTimer = (): void => undefined
    const late = new Promise<'late'>(resolve => (cancelTimer = this.#core.runtime.timers.after(graceMs, () => resolve('late'))))
    const ended = await Promise.race([
      run.result().then(
        () => 'ended' as const,
        () => 'ended' as const,
      ),
      late,
    ])
    cancelTimer()
    if (ended === 'late') await run.cancel()
  }
}

export const closeGraceMs = 10_000
