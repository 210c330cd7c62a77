/* The code of docs/context.md. */
import { manualClock, openSkein } from 'skein'

// A window that nobody knows is taken to be 128,000 tokens. So large a buffer leaves 3,904 of them, which are soon full.
const skein = await openSkein({
  store: 'memory:',
  context: { buffer: 120_000, keepTokens: 500, leafTokens: 900, largeTokens: 400 },
  contextHooks: [{ name: 'watch', place: 'turn', render: ({ row }) => `It is the watch of ${row.user ?? 'nobody'}.` }],
  // Nothing in the background, no chance, and a clock that stands, so that this page prints the same each time.
  worker: false,
  clock: manualClock(Date.UTC(2026, 0, 1)),
  random: { bytes: target => target.fill(7), number: () => 0.5 },
})
const session = await skein.sessions.create({ user: 'ann', system: 'You keep the log of a ship.' })

/** Stands for your model. */
const weather = 'The wind came from the west all day, the sea was calm, and nothing else is worth a line. '
const yourModel = (messages: readonly unknown[]): string => `${messages.length} messages read. ${weather.repeat(12)}`

for (let day = 1; day <= 30; day++) {
  const input = day === 3 ? 'Day 3: we buried the chest under the oak at 54.32N. Keep map-7731.' : `Day ${day}: all is well.`
  const { messages } = await session.context({ input })
  await session.record({ user: input, assistant: yourModel(messages) })
}
const { tokens, budget, fits, version } = await session.context()
console.log({ summaries: tokens.summaries, messages: tokens.messages, total: tokens.total, usable: budget.usable })
console.log({ fits, version })

const { items = [], messages } = await session.context({ explain: true, format: 'openai' })
console.log(items.map(({ kind, shown }) => (kind === 'entry' ? shown : kind)).join(' '))
const [first] = messages as { content: string }[]
console.log(first?.content.replace(/_\w{24}/g, '_…'))

const planned = await session.compact({ dryRun: true })
const { status, level, coveredEntries, tokensBefore, tokensAfter } = await session.compact()
console.log(planned.status, { status, level, coveredEntries, tokensBefore, tokensAfter })

const {
  hits: [hit],
} = await session.recall('Where is the chest?')
console.log(hit?.shown, hit?.excerpt)
const page = await session.expand(hit?.ref ?? '')
console.log(page.content.replace(/_\w{24}/g, '_…'))

const { shown, via, reason } = await session.explain(hit?.ref ?? '')
console.log(shown, via.length, reason)
const { entries, raw, covered, findings } = await session.audit()
console.log({ entries, raw, covered, findings })

const charts = JSON.stringify(Array.from({ length: 200 }, (_, n) => ({ chart: n, depths: [n, n + 1] })))
await session.record({
  messages: [
    { role: 'user', parts: [{ type: 'text', text: 'Which charts do we have?' }] },
    { role: 'assistant', parts: [{ type: 'tool_call', callId: 'c1', tool: 'charts', input: {} }] },
    { role: 'tool', parts: [{ type: 'tool_result', callId: 'c1', tool: 'charts', output: charts }] },
    { role: 'assistant', parts: [{ type: 'text', text: 'Two hundred.' }] },
  ],
})
const now = await session.context({ format: 'openai' })
const { content } = now.messages.at(-2) as { content: string }
console.log(content.replace(/_\w{24}/g, '_…'))

const [ref] = /ent_\w+#\d+/.exec(content) ?? ['']
const beginning = await session.expand(ref, { unit: 'chars', limit: 60 })
console.log(beginning.content, beginning.total)

const last = (await session.turns()).at(-1)
console.log(last?.index, last?.items, last?.prefix.brokenBy)
console.log(last?.compactions.map(({ trigger, status }) => `${trigger} ${status}`))
await skein.close()
