/* The code of docs/own-model.md. */
import { isSkeinError, openSkein, type SessionMessage } from 'skein'

// 'sqlite:FILE' and 'postgres://…' keep what is written; 'memory:' forgets it.
const skein = await openSkein({ store: 'memory:' })
const session = await skein.sessions.open('chat-42', {
  orCreate: { user: 'ann', title: 'Garden', system: 'You are brief.' },
})

/** Stands for your model: it answers with the last word of the question. */
async function yourModel(messages: readonly unknown[]): Promise<string> {
  const { content } = messages.at(-1) as { content: string }
  return `A ${content.match(/\w+(?=\W*$)/)?.[0] ?? 'what'}? Gladly.`
}

const input = 'Shall we plant an apple tree?'
const { system, messages } = await session.context({ input })
const reply = await yourModel(messages)
const first = await session.record({
  user: input,
  assistant: reply,
  model: 'openai/gpt-5.2',
  usage: { inputTokens: 21, outputTokens: 6 },
  cost: 120_750, // in nano-dollars; without it the cost is unknown, not 0
})
console.log(system, messages)
console.log(reply, first.index, first.usageSource)

const call = { id: 'call_1', type: 'function', function: { name: 'catalogue', arguments: '{"kind":"apple"}' } }
await session.append(
  [
    { role: 'user', content: 'Which one?' },
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: 'call_1', content: 'Boskoop' },
  ],
  { format: 'openai' },
)
for (const format of ['openai', 'anthropic', 'ai-sdk'] as const) {
  const context = await session.context({ format })
  console.log(JSON.stringify(context.messages.at(-1)))
}

const place = (await session.info()).leafId
const turn = { user: 'Boskoop, then.', assistant: 'It keeps well.' }
const once = await session.record(turn, { idempotencyKey: 'message-7' })
const again = await session.record(turn, { idempotencyKey: 'message-7' })
console.log(once.replayed, again.replayed, once.turn === again.turn)

const other = { ...turn, user: 'Cox, then.' }
const refused: unknown = await session.record(other, { idempotencyKey: 'message-7' }).catch((error: unknown) => error)
console.log(isSkeinError(refused) && refused.code)

const asText = (list: readonly SessionMessage[]): string[] =>
  list.map(({ role, parts }) => `${role}: ${parts.map(part => (part.type === 'text' ? part.text : part.type)).join(' ')}`)

if (place !== null) await session.moveTo(place)
await session.record({ user: 'Cox, then.', assistant: 'Early and sweet.' })
console.log(asText(await session.conversation()).slice(-2))

const fork = await session.fork({ title: 'A second garden' })
await fork.append({ role: 'user', content: 'And a pear.' })
console.log((await session.info()).messages, (await fork.info()).messages)

const { hits } = await session.search('boskoop keeps', { match: 'any' })
console.log(hits.map(({ role, snippet }) => `${role}: ${snippet}`))

const { requests, cost } = await session.usage()
console.log(requests, cost)

const bundle = await session.export('skein')
const elsewhere = await openSkein({ store: 'memory:' })
const copy = await elsewhere.sessions.import('skein', bundle)
const [found] = (await elsewhere.sessions.list()).items
console.log(copy.id === session.id, copy.entries, found?.title)

await elsewhere.close()
await skein.close()
