import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { createHandler } from '#server'
import { openSkein } from '#skein'
import { afterEach, describe, expect, it } from 'vitest'
import { type Io, processIo } from './io.ts'
import { main } from './main.ts'

const removed: (() => void)[] = []
afterEach(() => {
  for (const remove of removed.splice(0)) remove()
})

/** Somebody at a terminal, who types and sees. */
function person(args: readonly string[], { terminal = true, extension = '', fetch = globalThis.fetch } = {}) {
  const cwd = mkdtempSync(join(tmpdir(), 'skein-chat-'))
  removed.push(() => rmSync(cwd, { recursive: true, force: true }))
  if (extension !== '') {
    mkdirSync(join(cwd, 'xdg', 'skein', 'extensions'), { recursive: true })
    writeFileSync(join(cwd, 'xdg', 'skein', 'extensions', 'asking.mjs'), extension)
  }
  const stdin = Object.assign(new PassThrough(), { isTTY: terminal })
  let [shown, talked] = ['', '']
  const sink = (take: (text: string) => void): PassThrough & { isTTY: boolean } =>
    Object.assign(
      new PassThrough().on('data', (piece: Buffer) => take(String(piece))),
      { isTTY: terminal },
    )
  const signals = new Set<(name: 'SIGINT' | 'SIGTERM') => void>()
  const io: Io = {
    ...processIo(),
    stdin,
    stdout: sink(text => (shown += text)),
    stderr: sink(text => (talked += text)),
    cwd,
    env: { HOME: cwd, XDG_CONFIG_HOME: join(cwd, 'xdg'), SKEIN_HOME: join(cwd, 'home') },
    fetch,
    onSignal: heard => (signals.add(heard), () => void signals.delete(heard)),
    exit: () => undefined,
  }
  const ended = main(args, io)
  return {
    cwd,
    ended,
    types: (line: string) => void stdin.write(`${line}\n`),
    leaves: () => void stdin.end(),
    presses: () => [...signals].forEach(signal => signal('SIGINT')),
    sees: async (text: string | RegExp) => await expect.poll(() => shown).toMatch(text),
    hears: async (text: string | RegExp) => await expect.poll(() => talked).toMatch(text),
    get shown() {
      return shown
    },
  }
}

/** A tool that a person has to allow. */
const asking = `export default skein => skein.tool({
  name: 'net', description: 'Sends.', input: { type: 'object' }, approval: true, run: () => 'sent' })`

describe('a chat at a terminal', () => {
  it('asks what a tool asks, in between, and the answer is no turn', async () => {
    const chat = person(['chat'])
    chat.types('/call ask_user {"question":"Which colour?"}')
    await chat.hears(/Which colour\? /)
    chat.types('blue')
    await chat.sees(/ask_user returned: blue/)
    chat.types('/call ask_user {"question":"Which?","choices":["red","green"]}')
    await chat.hears(/1\) red[^]*2\) green/)
    chat.types('7')
    chat.types('2')
    await chat.sees(/ask_user returned: green/)
    chat.types('bye')
    await chat.sees(/You said: bye/)
    chat.leaves()
    expect(await chat.ended).toBe(0)
    expect(chat.shown).not.toContain('You said: blue')
  })

  it('asks whether a call may be made that a person has to allow', async () => {
    for (const [answer, outcome] of [
      ['y', /net returned: sent/],
      ['no', /net returned: A person said no/],
    ] as const) {
      const chat = person(['chat'], { extension: asking })
      chat.types('/call net {"path":"x"}')
      await chat.hears(/Allow net \{"path":"x"\}\? \[y\/N\] /)
      chat.types('what?')
      await chat.hears(/\[y\/N\] [^]*\[y\/N\] /)
      chat.types(answer)
      await chat.sees(outcome)
      chat.leaves()
      expect(await chat.ended).toBe(0)
    }
  })

  it('steers the turn that goes on with what is typed meanwhile', async () => {
    const chat = person(['chat'])
    chat.types('/call bash {"command":"while [ ! -e go ]; do sleep 0.02; done; echo went"}')
    await chat.hears(/→ bash/)
    chat.types('look here')
    await chat.hears(/… heard/)
    writeFileSync(join(chat.cwd, 'go'), '')
    await chat.sees(/You said: look here/)
    // What was typed stood behind the result, in the same turn.
    expect(chat.shown).not.toContain('bash returned')
    chat.types('and now a turn')
    await chat.sees(/You said: and now a turn/)
    chat.leaves()
    expect(await chat.ended).toBe(0)
  })

  it('ends a question with the turn that Ctrl-C cancels, and goes on', async () => {
    const chat = person(['chat'])
    chat.types('/call ask_user {"question":"Which colour?"}')
    await chat.hears(/Which colour\? /)
    chat.presses()
    await chat.hears(/cancelled/)
    chat.types('still there?')
    await chat.sees(/You said: still there\?/)
    chat.leaves()
    expect(await chat.ended).toBe(0)
  })

  it('answers for nobody once its input has ended', async () => {
    const chat = person(['chat'])
    chat.types('/call ask_user {"question":"Which colour?"}')
    await chat.hears(/Which colour\? /)
    chat.leaves()
    expect(await chat.ended).toBe(0)
    await chat.hears(/needs user input/)
  })
})

describe('a chat with a server', () => {
  it('asks about the calls that wait there, and hears when somebody else has answered', async () => {
    const skein = await openSkein({
      store: 'memory:',
      worker: false,
      tools: [{ name: 'net', description: 'Sends.', input: { type: 'object' }, approval: true, run: () => 'sent' }],
    })
    removed.push(() => void skein.close())
    const handler = createHandler(skein)
    const fetch = ((url: string, init: RequestInit) => handler(new Request(url, init))) as typeof globalThis.fetch
    const chat = person(['chat', '--url', 'http://127.0.0.1:7544'], { fetch })
    const ask = (n: number): void => chat.types(`/call net {"n":${n}}`)
    ask(1)
    await chat.hears(/Allow net \{"n":1\}\? \[y\/N\] /)
    chat.types('yes')
    await chat.sees(/net returned: sent/)
    ask(2)
    await chat.hears(/Allow net \{"n":2\}\? \[y\/N\] /)
    chat.types('no')
    await chat.sees(/net returned: A person said no/)
    ask(3)
    await chat.hears(/Allow net \{"n":3\}\? \[y\/N\] /)
    const { items } = await skein.sessions.list({})
    const session = await skein.sessions.open(items[0]?.id ?? '')
    const [open] = await session.approvals.list()
    await session.approvals.answer(open?.id ?? '', { decision: 'allow' })
    await chat.sees(/net returned: sent[^]*net returned: sent/)
    chat.types('bye')
    await chat.sees(/You said: bye/)
    chat.leaves()
    expect(await chat.ended).toBe(0)
  })
})

describe('a run', () => {
  it('asks at a terminal, but not for a program', async () => {
    const run = person(['run', '/call ask_user {"question":"Which colour?"}'])
    await run.hears(/Which colour\? /)
    run.types('blue')
    await run.sees(/ask_user returned: blue/)
    expect(await run.ended).toBe(0)
    for (const [args, terminal] of [
      [['run', '--json'], true],
      [['run'], false],
    ] as const)
      expect(await person([...args, '/call ask_user {"question":"Which colour?"}'], { terminal }).ended).toBe(5)
  })

  it('in a role has its tools, and refuses a role that is none', async () => {
    const say = (words: string): ReturnType<typeof person> =>
      person(['run', '--role', 'Reviewer', '--model', 'demo/echo', words], { terminal: false })
    const writes = say('/call write {"path":"a.txt","content":"x"}')
    await writes.ended
    expect(writes.shown).toContain('agent_mode_tool_denied')
    const reads = say('/call ls {"path":"."}')
    expect(await reads.ended).toBe(0)
    expect(await person(['run', '--role', 'poet', 'x'], { terminal: false }).ended).toBe(2)
  })
})
