/* A session that outlives the process. Without a key in the environment the offline demo model answers. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSkein } from 'skein'

const folder = mkdtempSync(join(tmpdir(), 'skein-'))
const store = `sqlite:${join(folder, 'skein.db')}`

{
  await using skein = await openSkein({ store, env: process.env })
  const session = await skein.sessions.create({ id: 'first', system: 'You are helpful.' })
  const run = session.send('Hello!')
  for await (const event of run) if (event.type === 'text_delta') process.stdout.write(event.text)
  const { status, steps, cost } = await run.result()
  console.log('\n', { status, steps, cost })
}

{
  // Another opening, as another process or another day would have it.
  await using skein = await openSkein({ store, env: process.env })
  const session = await skein.sessions.open('first')
  for (const { role, parts } of await session.messages()) console.log(role, parts)
  console.log(await session.usage())
}

rmSync(folder, { recursive: true })

/* Prints:
You said: Hello!
 { status: 'done', steps: 1, cost: 0 }
user [ { type: 'text', text: 'Hello!' } ]
assistant [ { type: 'text', text: 'You said: Hello!' } ]
{
  requests: 1,
  usage: {
    inputTokens: 296,
    cacheReadTokens: 0,
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    outputTokens: 4,
    reasoningTokens: 0
  },
  cost: { nano: 0, complete: true, unknownRequests: 0 }
}
*/
