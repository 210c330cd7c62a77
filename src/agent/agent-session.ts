import { given } from '#kernel'
import { check, ContextSession, type CoreSession, type SessionCore } from '#session'
import { type AgentGear, checkAgent, type SendOptions } from './agent-options.ts'
import { Approvals } from './approvals.ts'
import { type AgentPorts, type Run, startRun } from './send.ts'
import { readTools } from './tool.ts'

/** A session of the face: the durable conversation and its agent. */
export class AgentSession extends ContextSession {
  /** What its runs ask a person about single calls; to be read and answered from any process. */
  readonly approvals: Approvals
  readonly #core: SessionCore
  readonly #ports: AgentPorts
  #gear: AgentGear = {}
  #run: Run | undefined

  constructor(core: SessionCore, opened: (id: CoreSession['id']) => Promise<CoreSession>, ports: AgentPorts) {
    super(core, opened)
    this.#core = core
    this.approvals = new Approvals(core)
    this.#ports = ports
  }

  /** What operators need of a session beside its verbs. */
  static insideOf(session: AgentSession): { readonly core: SessionCore; readonly gear: AgentGear } {
    return { core: session.#core, gear: session.#gear }
  }

  /** Gives this object its model and tools; they last as long as it does. */
  equip(gear: AgentGear): this {
    checkAgent.gear(gear)
    this.#gear = { ...this.#gear, ...gear, ...given({ tools: gear.tools && readTools(gear.tools) }) }
    return this
  }

  /** Says something to the agent. The run is an async iterable of its events; `result()` is its end. */
  send(input: unknown, options: SendOptions = {}): Run {
    const { modelOverride, tools = [], maxSteps } = this.#gear
    const ports = { ...this.#ports, tools: [...this.#ports.tools, ...readTools(tools)] }
    const run = startRun(this.#core, ports, input, options, given({ model: modelOverride, maxSteps }))
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
    check.close(options)
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
