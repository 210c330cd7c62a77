/* Operators: the same work on many inputs, each done once. The demo model says what it is told, so it can answer with JSON. */
import { openSkein } from 'skein'

await using skein = await openSkein({ store: 'memory:' })
const session = await skein.sessions.create()

const map = skein.operators.llmMap({
  inputs: [{ city: 'Oslo' }, { city: 'Bergen' }, { city: 'Atlantis', lost: true }],
  prompt: ({ city, lost }) => (lost ? 'Nobody knows.' : `\`\`\`json\n{ "city": "${city}", "letters": ${city.length} }\n\`\`\``),
  schema: {
    type: 'object',
    properties: { city: { type: 'string' }, letters: { type: 'integer' } },
    required: ['city', 'letters'],
  },
  concurrency: 1,
  maxRetries: 1,
  parent: session,
})

for await (const { index, output, errorKind, attempts } of map) console.log(index, output ?? errorKind, attempts)
const count = await map.result()
console.log(count.total, count.succeeded, count.failed)

// The session knows of the map and what it used; the outputs stay out of its context.
console.log((await session.entries({ types: ['map_started', 'map_ended'] })).map(({ type }) => type).join(' '))
console.log((await session.usage({ by: 'purpose' })).by?.map(({ key, requests }) => `${key} ${requests}`).join(' '))
console.log((await session.messages()).length)

// In this process or another: what was done is there, what was not is done.
const again = skein.operators.resume(map.id)
for await (const { index, success } of again.results({ after: 1 })) console.log(index, success)

/* Prints:
0 { city: 'Oslo', letters: 4 } 1
1 { city: 'Bergen', letters: 6 } 1
2 not_json 2
3 2 1
map_started map_ended
map 4
0
1 true
2 false
*/
