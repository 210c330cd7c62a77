/* Tools: the model asks, Skein runs them and tells the model. The demo model calls what `/call NAME JSON` says. */
import { openSkein, type Tool } from 'skein'

const weather: Tool<{ city: string }> = {
  name: 'weather',
  description: 'The weather in a city, now.',
  input: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  readOnly: true,
  run: ({ city }, call) => {
    call.progress(`looking out of a window in ${city}`)
    if (city === 'Atlantis') throw new Error('There is no such city.')
    return { city, sky: 'clear', celsius: 21 }
  },
}

await using skein = await openSkein({ store: 'memory:', tools: [weather] })
const session = await skein.sessions.create()

for (const city of ['Oslo', 'Atlantis']) {
  const run = session.send(`/call weather {"city":"${city}"}`)
  for await (const event of run) {
    if (event.type === 'tool_delta') console.log('…', event.text)
    if (event.type === 'tool_ended') console.log(event.tool, event.status)
  }
  const { status, steps, text } = await run.result()
  console.log(status, steps, text)
}

// Calls and results are messages of the journal, durable before the next step began.
console.log((await session.messages()).flatMap(({ parts }) => parts.map(({ type }) => type)).join(' '))

/* Prints:
… looking out of a window in Oslo
weather ok
done 2 weather returned: {"city":"Oslo","sky":"clear","celsius":21}
… looking out of a window in Atlantis
weather error
done 2 weather returned: There is no such city.
text tool_call tool_result text text tool_call tool_result text
*/
