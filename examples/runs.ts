/* The code of docs/runs.md. */
import { openSkein, type Tool } from 'skein'

let open = (): void => undefined
const slow: Tool = {
  name: 'slow',
  description: 'Takes as long as it is let.',
  input: { type: 'object' },
  readOnly: true,
  run: (_input, { signal }) =>
    new Promise((resolve, reject) => {
      open = () => resolve('ready')
      signal.addEventListener('abort', () => reject(new Error('stopped')))
    }),
}

await using skein = await openSkein({ store: 'memory:', tools: [slow] })
const session = await skein.sessions.create()

const run = session.send('Hello!')
const { disposition } = await run.receipt // The input is durable from here on.
for await (const event of run) if (event.type === 'text_delta') process.stdout.write(event.text)
const { status, reason, steps } = await run.result()
console.log('\n' + [disposition, status, reason, steps].join(' '))

const long = session.send('/call slow {}')
for await (const event of long) {
  if (event.type === 'tool_started') {
    console.log((await long.steer('Say what you have.')).disposition)
    console.log((await long.followUp('And thank you.')).disposition)
    open()
  }
  if (event.type === 'input_delivered') console.log('delivered')
}
console.log((await long.result()).text)

const stopped = session.send('/call slow {}')
for await (const event of stopped) if (event.type === 'tool_started') void stopped.cancel()
const { text, ...ended } = await stopped.result()
console.log(ended.status, ended.reason)
console.log((await session.send('Still there?').result()).text)

const gated = await skein.sessions.create({
  gates: [{ id: 'tests', kind: 'command', command: { command: 'echo 2 tests fail >&2; exit 1' } }],
})
const checked = await gated.send('Are we done?').result()
console.log(checked.status, checked.reason, checked.error?.message ?? '')

console.log((await session.recover()).plan)
