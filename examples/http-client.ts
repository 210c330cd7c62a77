/* The server and a client of it, with nothing but fetch. */
import { openSkein } from 'skein'
import { serve } from 'skein/server'

const skein = await openSkein({ store: 'memory:' })
const server = await serve(skein, { port: 0 })

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(`${server.url}/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

const created = await ask('POST', '/sessions', { id: 'chat-42', title: 'Over HTTP' })
console.log(created.status)

// An input is durable when it is answered; repeating it under its key has no second effect.
const key = { 'idempotency-key': 'message-1' }
for (const _ of ['once', 'again']) {
  const { status, headers } = await ask('POST', '/sessions/chat-42/inputs', { input: 'Hello!' }, key)
  console.log(status, headers.get('idempotent-replay') ?? 'first')
}

// The events: what was written, then what happens, an entry's with its seq as `id:`. Here until the run has ended.
const events = await ask('GET', '/sessions/chat-42/events?types=message_added,run_ended')
let text = ''
for await (const chunk of events.body ?? []) {
  text += Buffer.from(chunk).toString()
  if (text.includes('event: run_ended')) break
}
console.log(text.match(/^event: .*/gm)?.join(' · '))

const page = (await (await ask('GET', '/sessions/chat-42/messages')).json()) as { items: { role: string; parts: unknown }[] }
for (const { role, parts } of page.items) console.log(role, parts)

const missing = await ask('GET', '/sessions/nobody')
const { error } = (await missing.json()) as { error: { code: string } }
console.log(missing.status, error.code)

await server.close()
await skein.close()

/* Prints:
201
202 first
202 true
event: message_added · event: message_added · event: run_ended
user [ { type: 'text', text: 'Hello!' } ]
assistant [ { type: 'text', text: 'You said: Hello!' } ]
404 session.not_found
*/
