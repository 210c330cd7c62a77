import { type AgentPorts, AgentSession } from '#agent'
import type { CoreSession, SessionCore } from '#session'
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

  constructor(core: SessionCore, opened: (id: CoreSession['id']) => Promise<CoreSession>, ports: AgentPorts) {
    super(core, opened, ports)
    this.#core = core
    this.state = new StateVerbs(core)
    this.slots = new Slots(core)
  }

  /** Whether the newest turn was shown what this uri names. */
  async wasInjected(uri: string): Promise<boolean> {
    return await wasInjected(this.#core, uri)
  }
}
