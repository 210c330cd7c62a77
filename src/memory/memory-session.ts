import { StateSession } from './state-session.ts'

/** The session of the face: one that never has to end, since what is old is sealed into archives. */
export class MemorySession extends StateSession {}
