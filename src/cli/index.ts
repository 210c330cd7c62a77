export { type Io, processIo, type SignalName } from './io.ts'
export { main } from './main.ts'
