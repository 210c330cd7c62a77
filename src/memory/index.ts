export { Memories } from './memories.ts'
export { MemorySession } from './memory-session.ts'
