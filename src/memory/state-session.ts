import { type AgentPorts, AgentSession, type Run, type SendOptions } from '#agent'
import type { CoreSession, Recorded, SessionCore } from '#session'
import { refreshIsDue } from './refresh-due.ts'
import { refreshLater, refreshModel, type RefreshParts } from './refresh-job.ts'
import { Slots } from './slots.ts'
import { StateVerbs } from './state-verbs.ts'
import { wasInjected } from './was-injected.ts'

/** A session that knows what it is about: objective, stage, next step, blockers and commitments. */
export class StateSession extends AgentSession {
  /** What the session is about, and what was committed to. */
  readonly state: StateVerbs
  /** Topics kept at hand in memory; dropping them changes no answer. */
  readonly slots: Slots
  readonly #core: SessionCore
  readonly #refresh: RefreshParts | undefined

  /** `refresh`: who keeps the state; without it nobody does but its verbs and what users ask for. */
  constructor(
    core: SessionCore,
    opened: (id: CoreSession['id']) => Promise<CoreSession>,
    ports: AgentPorts,
    refresh: RefreshParts | undefined,
  ) {
    super(core, opened, ports)
    this.#core = core
    this.#refresh = refresh
    this.state = new StateVerbs(core)
    this.slots = new Slots(core)
  }

  /** Whether the newest turn was shown what this uri names. */
  async wasInjected(uri: string): Promise<boolean> {
    return await wasInjected(this.#core, uri)
  }

  override async record(...given: Parameters<AgentSession['record']>): Promise<Recorded> {
    const recorded = await super.record(...given)
    await this.#refreshIfDue(given[1]?.traceId)
    return recorded
  }

  override send(input: unknown, options: SendOptions = {}): Run {
    const run = super.send(input, options)
    run.result().then(
      () => this.#refreshIfDue(options.traceId),
      () => undefined,
    )
    return run
  }

  /** Asks for a refresh of the state after a turn, where a model can make one. That it can't be asked for is no harm. */
  async #refreshIfDue(traceId: string | undefined): Promise<void> {
    if (this.#refresh === undefined) return
    const { store } = this.#core
    try {
      const row = await this.#core.row()
      if (!refreshIsDue(row)) return
      if ((await refreshModel(this.#refresh, store.tenant, row)) === undefined) return
      await store.commit([refreshLater(this.#core, traceId)], { durability: 'relaxed' })
    } catch {
      // The next turn asks again.
    }
  }
}
