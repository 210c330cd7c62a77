/* The code of docs/tools.md. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileTools, openSkein, type Tool } from 'skein'

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
  const { status, steps, text } = await session.send(`/call weather {"city":"${city}"}`).result()
  console.log(status, steps, text)
}
console.log((await session.messages()).flatMap(({ parts }) => parts.map(({ type }) => type)).join(' '))

const cwd = mkdtempSync(join(tmpdir(), 'skein-tools-'))
const coder = await skein.sessions.create({ cwd, tools: fileTools({ cwd }), policy: { denyWrites: ['secrets/**'] } })
const call = async (tool: string, input: object): Promise<void> => {
  const { text } = await coder.send(`/call ${tool} ${JSON.stringify(input)}`).result()
  console.log(text.replaceAll(cwd, '.'))
}
await call('write', { path: 'notes.txt', content: 'one\n' })
await call('edit', { path: 'notes.txt', oldText: 'one', newText: 'two' })
await call('write', { path: 'secrets/key.txt', content: 'abc' })
await call('read', { path: '../outside.txt' })

const mail: Tool<{ to: string }> = {
  name: 'mail',
  description: 'Sends a letter.',
  input: { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] },
  approval: true,
  run: ({ to }) => `sent to ${to}`,
}
const asking = await skein.sessions.create({ tools: [mail], approvals: 'wait' })
const run = asking.send('/call mail {"to":"ada@example.com"}')
for await (const event of run) {
  if (event.type !== 'approval_requested') continue
  for (const { id, tool, input, message } of await asking.approvals.list()) {
    console.log(tool, input, message)
    await asking.approvals.answer(id, { decision: 'allow', by: 'grace' })
  }
}
console.log((await run.result()).text)

const [created] = await coder.checkpoints.list()
const preview = await coder.checkpoints.preview({ to: created?.checkpoint ?? '' })
console.log(preview.items.map(({ path, action }) => `${action} ${path}`).join())
const { checkpoint } = await coder.checkpoints.apply(preview.token)

const back = await coder.checkpoints.preview({ to: checkpoint ?? '' })
await coder.checkpoints.apply(back.token)
console.log(readFileSync(join(cwd, 'notes.txt'), 'utf8').trim())
