import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileTools, type Guardrails } from '#agent'
import { isType } from '#journal'
import { scriptedModel } from '#models'
import { openSkein, type Session, type Skein, type SkeinOptions } from '#skein'
import { afterEach, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { call, codeOf, gate, said, tool } from './agent-talk.ts'
import { freshFolder, onEveryStore } from './stores.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function open(options: SkeinOptions = {}): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false, ...options })
  closers.push(() => skein.close())
  return skein
}

function put(folder: string, path: string, text: string): string {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

/** Whether a process is there that has not ended. */
function runs(pid: string): boolean {
  try {
    return !/^.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

const write = (path: string, content = 'x'): ReturnType<typeof call> => call('write', { path, content })

/** What the calls of one answer come to under guardrails. */
async function results(
  session: Session,
  calls: readonly ReturnType<typeof call>[],
  options: object = {},
): Promise<readonly { readonly status: string; readonly output: string; readonly guardrails: unknown }[]> {
  await session.send('go', { model: scriptedModel([{ calls }, 'end']), ...options }).result()
  const message = (await session.messages()).findLast(({ role }) => role === 'tool')
  return (message?.parts ?? []).flatMap(part =>
    part.type === 'tool_result'
      ? [
          {
            status: part.status,
            output: typeof part.output === 'string' ? part.output : '',
            guardrails: (part.details as { guardrails?: unknown })?.guardrails,
          },
        ]
      : [],
  )
}

const of = async (skein: Skein, cwd: string, guardrails: Guardrails | null, more: object = {}): Promise<Session> =>
  await skein.sessions.create({ cwd, tools: fileTools({ cwd }), guardrails, ...more })

describe('guardrails', () => {
  it('run their commands after each write, in the folder of the session, and name the file; a read runs none', async () => {
    const cwd = freshFolder()
    const session = await of(await open(), cwd, { commands: ['pwd >> log', 'echo {file} >> log'] })
    const [first] = await results(session, [write("sub/it's $(a).txt"), call('read', { path: 'log' })])
    expect(first).toMatchObject({ status: 'ok', guardrails: { mode: 'advisory', critical: false } })
    expect(first?.output).not.toContain('uardrail')
    expect(readFileSync(join(cwd, 'log'), 'utf8')).toBe(`${cwd}\n${join(cwd, "sub/it's $(a).txt")}\n`)
    await results(session, [call('edit', { path: 'log', oldText: 'nothing like it', newText: '' })])
    await results(session, [call('edit', { path: 'log', oldText: cwd, newText: 'X', replaceAll: true, dryRun: true })])
    expect(readFileSync(join(cwd, 'log'), 'utf8').split('\n')).toHaveLength(3)
  })

  it('tell a failure with the result, and under enforce make it an error; the file stands and the run goes on', async () => {
    const cwd = freshFolder()
    const commands = ['true', 'echo one line too many; exit 3', 'exit 4']
    const skein = await open()
    const [advised] = await results(await of(skein, cwd, { commands }), [write('a.txt', 'a')])
    expect(advised).toMatchObject({ status: 'ok' })
    expect(advised?.output).toContain(`Guardrail: \`${commands[1]}\` failed (exit 3):\none line too many`)
    expect(advised?.output).toContain('Guardrail: `exit 4` failed (exit 4).')
    const session = await of(skein, cwd, { mode: 'enforce', commands })
    const [enforced] = await results(session, [write('b.txt', 'b')])
    const checks = [0, 3, 4].map((exitCode, at) => ({ command: commands[at], exitCode }))
    expect(enforced).toMatchObject({ status: 'error', guardrails: { code: 'guardrail_enforced', mode: 'enforce', checks } })
    expect(enforced?.output).toContain(`guardrail_enforced: \`${commands[1]}\` failed (exit 3):\none line too many`)
    expect(readFileSync(join(cwd, 'b.txt'), 'utf8')).toBe('b')
    expect((await session.entries({ types: ['run_ended'] })).map(({ data }) => data)).toMatchObject([{ status: 'done' }])
    const effects = (await session.entries({ types: ['effect_settled'] })).filter(entry => isType(entry, 'effect_settled'))
    expect(effects.map(({ data }) => data.status)).toEqual(['error'])
  })

  verifies('A49', 'see what a tool of your own changed of what it had kept, each file once, also where it failed', async () => {
    const cwd = freshFolder()
    put(cwd, 'same.txt', 'same')
    put(cwd, 'old.txt', 'old')
    const paths = ['new.txt', 'same.txt', 'sub/../old.txt']
    const heard: string[] = []
    const own = tool('publish', async (input: { fails?: boolean }, { checkpoint }: { checkpoint(paths: readonly string[]): Promise<void> }) => {
      await checkpoint(paths)
      put(cwd, 'new.txt', String(Math.random()))
      put(cwd, 'unseen.txt', 'x')
      rmSync(join(cwd, 'old.txt'), { force: true })
      if (input.fails === true) throw new Error('half done')
      return 'published'
    }) // prettier-ignore
    const session = await (
      await open()
    ).sessions.create({
      cwd,
      tools: [own] as never,
      guardrails: { mode: 'enforce', commands: ['echo {file} >> log', 'exit 1'], criticalPaths: ['old.*'] },
      hooks: [{ on: 'after_file_write', run: ({ path }: { path: string }) => void heard.push(path) }] as never,
    })
    const [made] = await results(session, [call('publish')])
    expect(readFileSync(join(cwd, 'log'), 'utf8').trim().split('\n').sort()).toEqual(
      ['new.txt', 'old.txt'].map(name => join(cwd, name)),
    )
    expect(heard.sort()).toEqual(['new.txt', 'old.txt'])
    expect(made).toMatchObject({ status: 'error', guardrails: { code: 'guardrail_enforced', critical: true } })
    expect(made?.output).toContain('old.txt is a critical path')
    expect(made?.output.match(/guardrail_enforced/g)).toHaveLength(1)
    const [failed] = await results(session, [call('publish', { fails: true })])
    expect(failed?.output).toMatch(/half done[^]*guardrail_enforced/)
    expect(heard.sort()).toEqual(['new.txt', 'new.txt', 'old.txt'])
  })

  it('hold whatever a hook makes of the result', async () => {
    const cwd = freshFolder()
    const hooks = [{ on: 'after_call', run: () => ({ content: 'All is well.', isError: false }) }]
    const [result] = await results(await of(await open(), cwd, { mode: 'enforce', commands: ['exit 1'] }, { hooks }), [
      write('a.txt'),
    ])
    expect(result).toMatchObject({ status: 'error', output: expect.stringMatching(/^All is well\.[^]*guardrail_enforced/) })
  })

  it('end a command past its time with its whole group, which fails the write', async () => {
    const cwd = freshFolder()
    const commands = ['sleep 1000 & echo $! > pid; sleep 1000']
    const session = await of(await open(), cwd, { mode: 'enforce', commands, timeoutMs: 2_000 })
    const [result] = await results(session, [write('a.txt')])
    expect(result).toMatchObject({ status: 'error', output: expect.stringContaining('took longer than 2000 ms') })
    expect(runs(readFileSync(join(cwd, 'pid'), 'utf8').trim())).toBe(false)
  })

  it('of a cancelled run are ended, and say nothing of what they did not see', async () => {
    const cwd = freshFolder()
    const session = await of(await open(), cwd, { mode: 'enforce', commands: ['touch begun; sleep 1000'] })
    const run = session.send('go', { model: scriptedModel([{ calls: [write('a.txt')] }, 'end']) })
    await expect.poll(() => codeOf(Promise.resolve().then(() => readFileSync(join(cwd, 'begun'))))).toBe('resolved')
    await run.cancel()
    expect((await run.result()).status).toBe('cancelled')
    expect((await session.messages()).map(said).join()).not.toContain('guardrail_enforced')
  })

  it('take care of critical paths, where they really lead', async () => {
    const cwd = freshFolder()
    mkdirSync(join(cwd, 'core'))
    symlinkSync('core', join(cwd, 'alias'))
    const session = await of(await open(), cwd, { criticalPaths: ['core/**'] })
    const written = await results(session, [write('core/a.ts'), write('alias/b.ts'), write('other.ts')])
    expect(written.map(({ guardrails }) => (guardrails as { critical: boolean }).critical)).toEqual([true, true, false])
    expect(written[1]?.output).toContain('core/b.ts is a critical path')
    expect(written.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok'])
  })

  it("check types by the project's own compiler, where the profile says so or finds one", async () => {
    const cwd = freshFolder()
    const compiler = (folder: string, code: number): void => {
      const file = put(cwd, join(folder, 'node_modules/.bin/tsc'), `#!/bin/sh\necho "$PWD $*" >> '${cwd}/log'\nexit ${code}\n`)
      chmodSync(file, 0o755)
    }
    const skein = await open()
    const enforced = async (profile: Guardrails['profile'], path: string): Promise<string> => {
      const [result] = await results(await of(skein, cwd, { mode: 'enforce', ...(profile && { profile }) }), [write(path)])
      return result?.status ?? ''
    }
    expect(await enforced(undefined, 'a.ts')).toBe('ok')
    expect(await enforced('typescript', 'a.ts')).toBe('error')
    expect(await enforced('typescript', 'a.txt')).toBe('ok')
    put(cwd, 'tsconfig.json', '{}')
    put(cwd, "pack's/tsconfig.json", '{}')
    compiler('', 2)
    expect(await enforced('auto', 'src/a.mts')).toBe('error')
    expect(await enforced('typescript', "pack's/a.tsx")).toBe('error')
    expect(await enforced('generic', 'a.ts')).toBe('ok')
    expect(await enforced('auto', 'a.md')).toBe('ok')
    compiler("pack's", 0)
    expect(await enforced('auto', "pack's/src/a.cts")).toBe('ok')
    const checked = (at: string): string => `${at} --noEmit --pretty false -p ${join(at, 'tsconfig.json')}\n`
    const pack = join(cwd, "pack's")
    expect(readFileSync(join(cwd, 'log'), 'utf8')).toBe(checked(cwd) + checked(pack) + checked(pack))
  })

  it('are none unless somebody says so; a run has its own, and wrong ones are refused', async () => {
    const cwd = freshFolder()
    const skein = await open()
    const session = await of(skein, cwd, { mode: 'enforce', commands: ['exit 1'] })
    const status = async (options: object): Promise<unknown> => (await results(session, [write('a.txt')], options))[0]?.status
    expect(await status({})).toBe('error')
    expect(await status({ guardrails: { mode: 'advisory' } })).toBe('ok')
    expect(await status({ guardrails: { commands: ['true'] } })).toBe('ok')
    expect(await status({ guardrails: null })).toBe('ok')
    expect((await results(await of(skein, cwd, null), [write('b.txt')]))[0]?.guardrails).toBeUndefined()
    const { config } = await session.info()
    expect(config['guardrails.mode']).toEqual({ value: 'enforce', layer: 'options' })
    for (const wrong of [
      {},
      [],
      'enforce',
      { mode: 'strict' },
      { profile: 'cobol' },
      { commands: 'ls' },
      { commands: [''] },
      { paths: [] },
      { timeoutMs: 120_001 },
    ])
      // prettier-ignore
      expect(await codeOf(skein.sessions.create({ guardrails: wrong as never })), JSON.stringify(wrong)).toBe('config.invalid')
  })

  verifies('A54', 'stand in the prompt between facts and task', async () => {
    const cwd = freshFolder()
    const more = { facts: [{ text: 'Posts are oak', verifiedAt: 0 }], task: { title: 'Mend', description: '' } }
    const guardrails: Guardrails = { mode: 'enforce', commands: ['npm test'], criticalPaths: ['core/**'] }
    const session = await of(await open(), cwd, guardrails, more)
    const model = scriptedModel(['fine'])
    await session.send('go', { model }).result()
    const { system } = model.requests[0] as { system: string }
    const places = ['Posts are oak', '# Guardrails', '`npm test`', 'makes the write an error', '- core/**', '# Task: Mend'].map(
      text => system.indexOf(text),
    )
    expect(places.every(at => at >= 0)).toBe(true)
    expect(places).toEqual([...places].sort((a, b) => a - b))
  })

  verifies('A2', 'of a project count once it is trusted', async () => {
    const root = freshFolder()
    const cwd = join(root, 'work')
    put(cwd, '.skein/config.toml', '[guardrails]\nmode = "enforce"\ncommands = ["exit 1"]\n')
    const notices: string[] = []
    const status = async (): Promise<unknown> => {
      const skein = await open({ env: { HOME: join(root, 'home') }, onNotice: ({ message }) => void notices.push(message) })
      const session = await skein.sessions.create({ cwd, tools: fileTools({ cwd }) })
      return (await results(session, [write('a.txt')]))[0]?.status
    }
    expect(await status()).toBe('ok')
    expect(notices.filter(notice => notice.includes('guardrails is ignored'))).toHaveLength(1)
    put(root, 'home/.config/skein/trusted.json', JSON.stringify({ projects: [cwd] }))
    expect(await status()).toBe('error')
  })

  verifies('A56', 'of whoever delegates hold for a child, whatever it is given', async () => {
    const cwd = freshFolder()
    const session = await of(await open(), cwd, { mode: 'enforce', commands: ['exit 1'] })
    const child = await session.spawn({ guardrails: { mode: 'advisory', commands: ['true'] } })
    expect((await results(child, [write('a.txt')]))[0]?.status).toBe('error')
  })
})

onEveryStore('guardrails of a session', place => {
  it('are kept, and hold when another process opens it', async () => {
    const at = await place()
    const cwd = freshFolder()
    const skein = await at.open()
    const { id } = await of(skein, cwd, { mode: 'enforce', commands: ['exit 1'] })
    if (at.durable) await skein.close()
    const again = at.durable ? await at.open() : skein
    const entered = gate()
    const own = tool('write', (input: { path: string }) => (put(cwd, input.path, ''), entered.open(), 'written'))
    const session = await again.sessions.open(id, { tools: [own] })
    const [result] = await results(session, [write('a.txt')])
    await entered.promise
    expect(result?.status).toBe('error')
  })
})
