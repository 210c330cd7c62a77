import { given } from '#kernel'
import { type ThinkingLevel, thinkingLevels } from '#models'
import { check, ContextSession, type CoreSession, type SessionCore, type VerbOptions } from '#session'
import { activeRunOf } from './active-runs.ts'
import { type AgentGear, checkAgent, type InputOptions, type KeptSettings, type SendOptions } from './agent-options.ts'
import type { AgentPorts, RunDefaults } from './ports.ts'
import { readLimits, readStance, settingsOfSession } from './stance.ts'
import { Spending } from './allowance-spending.ts'
import { endElsewhere } from './ask-to-end.ts'
import { endChildren } from './children.ts'
import { parentOf } from './delegate.ts'
import { prefillSession } from './prefill-session.ts'
import { spawnChild } from './spawn.ts'
import type { SpawnOptions } from './spawn-options.ts'
import type { Extended } from './extensions.ts'
import { extensionsIn } from './extensions-file.ts'
import { SessionExtensions } from './extensions-session.ts'
import type { Hook } from './hooks.ts'
import { tellClosed, tellFinalized, tellOpened } from './hooks-session.ts'
import { giveSettings, type GivenSettings, stillGiven } from './given-settings.ts'
import { type ShownSetting, shownSettings, namedExtensions } from './held-settings.ts'
import { beginNoMore } from './next-runs.ts'
import { badConfig } from './policy/bad-config.ts'
import { Approvals } from './approvals.ts'
import type { InputReceipt } from './input-receipt.ts'
import { type Run, sayTo } from './run-face.ts'
import { startRun } from './send.ts'
import { recoverRun, type RecoverOptions, type Recovery } from './recover.ts'
import { readTools } from './tool.ts'
import { Checkpoints } from './tools/checkpoints.ts'
import { placesOf } from './tools/tool-places.ts'

/** Beside what else is known of a session. */
export interface SessionSettings {
  readonly config: Readonly<Record<string, ShownSetting>>
}

/** A session of the face: the durable conversation and its agent. */
export class AgentSession extends ContextSession {
  /** What its runs ask a person about single calls; to be read and answered from any process. */
  readonly approvals: Approvals
  /** What is kept of the files that its tools wrote, and the way back to it. */
  readonly checkpoints: Checkpoints
  readonly #core: SessionCore
  readonly #open: (id: CoreSession['id']) => Promise<CoreSession>
  readonly #ports: AgentPorts
  readonly #extensions: SessionExtensions
  #ready: Promise<Extended> | undefined
  #gear: AgentGear = {}
  #given: KeptSettings = {}
  #closing = false

  constructor(core: SessionCore, opened: (id: CoreSession['id']) => Promise<CoreSession>, ports: AgentPorts) {
    super(core, opened)
    this.#core = core
    this.#open = opened
    this.approvals = new Approvals(core)
    this.#ports = ports
    this.#extensions = new SessionExtensions(core, ports)
    const places = () => placesOf([...this.#ports.tools, ...readTools(this.#gear.tools ?? [])])
    this.checkpoints = new Checkpoints(core, places, entry => this.moveTo(entry))
  }

  /** What operators need of a session beside its verbs. */
  static insideOf(session: AgentSession): { readonly core: SessionCore; readonly gear: AgentGear } {
    return { core: session.#core, gear: session.#gear }
  }

  /** Gives this object its model and tools; they last as long as it does. */
  equip(gear: AgentGear): this {
    checkAgent.gear(gear)
    this.#gear = { ...this.#gear, ...gear, ...given({ tools: gear.tools && readTools(gear.tools) }) }
    if (gear.extensions !== undefined) this.#ready = undefined
    return this
  }

  /** What it was created or opened with of the settings that it keeps; with `write` what differs is written. */
  static async given<S extends AgentSession>(session: S, settings: GivenSettings, write: boolean): Promise<S> {
    if (write) await giveSettings(session.#core, settings)
    const { tools: _tools, ...kept } = settings
    session.#given = { ...session.#given, ...kept }
    return session
  }

  /** To be called once it was given its gear: loads its extensions and tells its hooks. What fails there is a notice. */
  static async opened<S extends AgentSession>(session: S): Promise<S> {
    await session.#extended()
    await tellOpened(session.#core, session.#hooks)
    return session
  }

  /** To be called when a route has let go of the session and its archive stands. */
  static async finalized(session: AgentSession): Promise<void> {
    await session.#extended()
    await tellFinalized(session.#core, session.#hooks)
  }

  /** `config`: every plain option and the layer that decided it; no secret is among them. */
  override async info(): Promise<SessionSettings & Awaited<ReturnType<ContextSession['info']>>> {
    const [known, row] = await Promise.all([super.info(), this.#core.row()])
    const options = [await stillGiven(this.#core, this.#given), this.#defaults]
    const { settings, held } = await settingsOfSession(this.#core, this.#ports, row, options)
    return { ...known, config: shownSettings(settings, held.noTools) }
  }

  override async setThinking(thinking: ThinkingLevel | (string & {}) | null, options: VerbOptions = {}): Promise<void> {
    check.verb(options)
    if (thinking !== null && !thinkingLevels.some(level => level === thinking))
      throw badConfig('thinking', `Expected one of ${thinkingLevels.join(', ')}, or null.`)
    await super.setThinking(thinking, options)
  }

  /** Once the session's allowance is reached no summary is prepared, either. Law A53. */
  override async prepareContext(signal: AbortSignal): ReturnType<ContextSession['prepareContext']> {
    const limitsOf = await readLimits(this.#core, undefined, this.#gear.allowance)
    if ((await new Spending(this.#core, limitsOf('run_')).reached()) !== undefined) return undefined
    return await super.prepareContext(signal)
  }

  /** Says something to the agent. The run is an async iterable of its events; `result()` is its end. */
  send(input: unknown, options: SendOptions = {}): Run {
    return startRun(this.#core, this.#allPorts, input, options, this.#defaults)
  }

  /**
   * Says something that the run which goes on heeds before its next request, in whatever process it does: calls that have not
   * begun are skipped. Rejects with `run.not_running` if none goes on.
   */
  async steer(input: unknown, options: InputOptions = {}): Promise<InputReceipt> {
    return await sayTo(this.#core, 'steer', input, options)
  }

  /** Says something that the run goes on with where it would end. Rejects with `run.not_running` if none goes on. */
  async followUp(input: unknown, options: InputOptions = {}): Promise<InputReceipt> {
    return await sayTo(this.#core, 'followUp', input, options)
  }

  /**
   * Begins a sub-session: with this one's model, tools and rules, where `options` say nothing. What it may do is narrowed by
   * this session's rules, what it spends counts here, and it ends with this one's run. Throws `session.busy` when 8 children
   * are at work, `input.invalid` for one that is more than three deep. Law A56.
   */
  async spawn(options: SpawnOptions = {}): Promise<this> {
    const spawned = await this.#core.verb(async () => {
      const stance = await readStance(this.#core, this.#allPorts, {}, this.#defaults)
      const model = this.#gear.modelOverride ?? stance.held.model
      return await spawnChild(parentOf(this.#core, this.#allPorts, stance, model), options)
    })
    const child = (await this.#open(spawned.id)) as this
    if (options.prefill !== undefined) await prefillSession(child.#core, options.prefill)
    return await AgentSession.opened(child.equip(spawned.gear))
  }

  /**
   * What is to be done for a run whose process died; with `apply` it is done, and the run goes on. Calls that may have been
   * carried out are asked for first, as `answers`. `session.busy` if another one carries the run on.
   */
  async recover(options: RecoverOptions = {}): Promise<Recovery> {
    return await this.#core.verb(() => recoverRun(this.#core, this.#allPorts, this.#defaults, options))
  }

  /**
   * Ends the run that goes on, in whatever process: the provider and running tools are told, tools that go on are waited for 5 s
   * or as long as `cancelGraceMs` says, and what came so far is kept. One whose process died is ended, too, once its lease is
   * over. Resolves when it has ended.
   */
  async cancel(): Promise<{ cancelled: boolean }> {
    return await this.#end('cancel')
  }

  /** Like `cancel`, without waiting for what is deaf; what that gives later is refused. */
  async abort(): Promise<{ cancelled: boolean }> {
    return await this.#end('abort')
  }

  async #end(how: 'cancel' | 'abort'): Promise<{ cancelled: boolean }> {
    const run = activeRunOf(this.#core)
    run?.control[how]()
    const ended = run === undefined ? endElsewhere(this.#core, how) : run.control.over.then(() => true)
    const [hadRun, hadChildren] = await Promise.all([ended, endChildren(this.#core, how)])
    return { cancelled: hadRun || hadChildren }
  }

  get #allPorts(): AgentPorts {
    return {
      ...this.#ports,
      tools: [...this.#ports.tools, ...readTools(this.#gear.tools ?? [])],
      connect: this.#extensions.connect,
      extended: () => this.#extended(),
      inherited: { tools: this.#ports.tools, extensions: this.#gear.extensions },
      open: async id => (await this.#open(id)) as AgentSession,
    }
  }

  #extended(): Promise<Extended> {
    this.#ready ??= this.#extend()
    // The store was away; whoever asks next tries again.
    this.#ready.catch(() => (this.#ready = undefined))
    return this.#ready
  }

  /** Those of the folders come first, then those that the highest layer names. Law A1. */
  async #extend(): Promise<Extended> {
    const { extensions, tools = [] } = this.#gear
    // A file that is broken is refused by the run that needs it.
    const found = await this.#ports.config?.find(this.#core.cwd).catch(() => undefined)
    const named = extensions === undefined ? namedExtensions(found, this.#core.cwd) : (extensions ?? [])
    const inFolders = await Promise.all((found?.extensions ?? []).map(folder => extensionsIn(folder).catch(() => [folder])))
    return await this.#extensions.ready({ extensions: [...inFolders.flat(), ...named], tools: readTools(tools) })
  }

  /** The host's, those of extensions, and its own. */
  get #hooks(): readonly Hook[] {
    return [...(this.#ports.hooks ?? []), ...this.#extensions.now.hooks, ...(this.#gear.hooks ?? [])]
  }

  get #defaults(): RunDefaults {
    const { modelOverride, tools: _tools, ...rest } = this.#gear
    return { ...rest, ...given({ model: modelOverride }) }
  }

  override async close(options: { readonly graceMs?: number } = {}): Promise<unknown> {
    check.close(options)
    const { clock } = this.#core.runtime
    const began = clock.now()
    const isFirst = !this.#closing
    this.#closing = true
    if (!(await this.#ended(options.graceMs ?? closeGraceMs))) await this.#leave()
    // Of the grace what the run has left of it; without one a compaction has its own time.
    const closed = await super.close(
      options.graceMs === undefined ? {} : { graceMs: Math.max(0, options.graceMs - (clock.now() - began)) },
    )
    if (isFirst) await tellClosed(this.#core, this.#hooks)
    return closed
  }

  /** A run has `graceMs` to end by itself; then it is cancelled. No turn that waits is begun any more. */
  override async settle({ graceMs }: { readonly graceMs: number }): Promise<void> {
    if (!(await this.#ended(graceMs))) await this.cancel()
  }

  /** Whether the run that goes on has ended by then. */
  async #ended(graceMs: number): Promise<boolean> {
    beginNoMore(this.#core)
    const run = activeRunOf(this.#core)
    if (run === undefined) return true
    let cancelTimer = (): void => undefined
    const late = new Promise<false>(resolve => (cancelTimer = this.#core.runtime.timers.after(graceMs, () => resolve(false))))
    const ended = await Promise.race([run.control.over.then(() => true as const), late])
    cancelTimer()
    return ended
  }

  /** Leaves the run to recovery: what it writes from here on is refused, so that nothing of it is ended. */
  async #leave(): Promise<void> {
    await this.#core.releaseLease()
    const run = activeRunOf(this.#core)
    run?.control.leave()
    await run?.control.over
  }
}

export const closeGraceMs = 10_000
