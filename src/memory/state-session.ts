import { AgentSession } from '#agent'

/** A session that knows what it is about: objective, stage, next step, blockers and commitments. */
export class StateSession extends AgentSession {}
