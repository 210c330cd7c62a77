/* Takes a session of the pi coding agent over, and gives it back. */
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { openSkein } from 'skein'

const file = new URL('../test/fixtures/pi/v3.jsonl', import.meta.url)

await using skein = await openSkein({ store: 'memory:' })
const { id, entries, badLines, unknown, dangling } = await skein.sessions.import('pi', readFileSync(file, 'utf8'))
console.log({ entries, badLines, unknown, dangling })

const session = await skein.sessions.open(id)
const { title, model, cwd, messages } = await session.info()
console.log({ title, model, cwd, messages })

// The same file again is the same session; a file that has grown adds what is new.
const again = await skein.sessions.import('pi', readFileSync(file))
console.log(again.id === id, again.created)

// Every line comes back, equal and in its place.
const linesOf = (text: string): unknown[] =>
  text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as unknown)
console.log(isDeepStrictEqual(linesOf(await session.export('pi')), linesOf(readFileSync(file, 'utf8'))))

/* Prints:
{ entries: 29, badLines: 0, unknown: 0, dangling: 0 }
{
  title: 'Trees for the garden',
  model: 'anthropic/claude-opus-4-6',
  cwd: '/home/ann/garden',
  messages: 4
}
true false
true
*/
