import { serve } from '#server'
import { openSkein } from '#skein'

/** A server as a process of its own: `http-server.ts STORE`. Prints its address; SIGTERM ends it well. */
const skein = await openSkein({ store: process.argv[2] ?? 'memory:' })
const server = await serve(skein, { port: 0 })
let stopping = false
process.on('SIGTERM', () => {
  if (stopping) process.exit(143)
  stopping = true
  void server
    .close()
    .then(() => skein.close({ waitMs: 0 }))
    .then(() => process.exit(0))
})
console.log(server.url)
