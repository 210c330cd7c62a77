import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jsonSchema, tool as sdkTool } from 'ai'
import { fileTools, type FileToolsOptions, mcpTools, nullUi, type Tool } from '#agent'
import { openSkein, type Session, type Skein, type SkeinOptions } from '#skein'
import { isSkeinError, type Json } from '#kernel'
import { isType, type ToolResultPart } from '#journal'
import { type ScriptedStep, scriptedModel } from '#models'
import { afterEach, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function folder(): Promise<string> {
  const made = await realpath(await mkdtemp(join(tmpdir(), 'skein-tools-')))
  closers.push(() => rm(made, { recursive: true, force: true }))
  return made
}

async function open(options: SkeinOptions = {}): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false, ...options })
  closers.push(() => skein.close())
  return skein
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return isSkeinError(error) ? error.code : String(error)
  }
  return 'resolved'
}

interface Call {
  readonly tool: string
  readonly input?: Json
}

/** The results of calls that a model makes one after the other, a step each. */
async function call(session: Session, ...calls: readonly Call[]): Promise<ToolResultPart[]> {
  const steps: ScriptedStep[] = [...calls.map(one => ({ calls: [one] })), 'Done.']
  const before = (await session.entries({ limit: 1_000 })).at(-1)?.seq ?? 0
  const turn = await session.send('go', { model: scriptedModel(steps) }).result()
  expect(turn).toMatchObject({ status: 'done', steps: calls.length + 1 })
  const entries = await session.entries({ after: before, limit: 1_000 })
  return entries.flatMap(entry =>
    isType(entry, 'message_added') ? entry.data.parts.filter(part => part.type === 'tool_result') : [],
  )
}

const textOf = ({ output }: ToolResultPart): string => (typeof output === 'string' ? output : JSON.stringify(output))

/** What a file tool itself says, with nobody before it. */
async function alone(cwd: string, name: string, input: Json, options: Partial<FileToolsOptions> = {}): Promise<string> {
  const [tool] = fileTools({ cwd, only: [name as 'read'], ...options })
  const signal = new AbortController().signal
  const nothing = (): void => undefined
  const call = {
    id: 'c',
    idempotencyKey: 'c',
    signal,
    cwd,
    ui: nullUi,
    progress: nothing,
    usage: nothing,
    checkpoint: async () => undefined,
  }
  try {
    return JSON.stringify(await tool?.run(input, call))
  } catch (error) {
    return String(error)
  }
}

/** The result of one call of the file tools in a folder. */
async function one(cwd: string, tool: string, input: Json, options: Partial<FileToolsOptions> = {}): Promise<ToolResultPart> {
  const session = await (await open()).sessions.create({ tools: fileTools({ cwd, ...options }), autonomy: 'allow-all' })
  const [result] = await call(session, { tool, input })
  if (result === undefined) throw new Error('No result.')
  return result
}

describe('a call that cannot be', () => {
  const entered: unknown[] = []
  const count: Tool = {
    name: 'count',
    description: 'Counts.',
    input: { type: 'object', properties: { n: { type: 'integer', minimum: 1 } }, required: ['n'], additionalProperties: false },
    run: input => {
      entered.push(input)
      return 'counted'
    },
  }
  verifies('A24', 'is an error result that says what is wrong, another step, and nothing executed', async () => {
    const wrong: readonly (readonly [Call, RegExp])[] = [
      [{ tool: 'nothing', input: {} }, /no tool named nothing/],
      [{ tool: 'count', input: '{"n": ' }, /not JSON/],
      [{ tool: 'count', input: { n: 'one' } }, /Invalid arguments: \$\.n/],
      [{ tool: 'count', input: {} }, /Invalid arguments/],
      [{ tool: 'count', input: { n: 1, m: 2 } }, /Invalid arguments/],
    ]
    const session = await (await open()).sessions.create({ tools: [count] })
    const results = await call(session, ...wrong.map(([asked]) => asked))
    expect(results.map(({ status }) => status)).toEqual(wrong.map(() => 'error'))
    for (const [at, [, words]] of wrong.entries()) expect(results[at]?.output).toMatch(words)
    expect(entered).toEqual([])
    expect((await call(session, { tool: 'count', input: { n: 2, m: null } }))[0]).toMatchObject({
      status: 'ok',
      output: 'counted',
    })
    expect(entered).toEqual([{ n: 2 }])
  })

  it('is refused before the session when two tools have one name', async () => {
    const skein = await open()
    expect(await codeOf(skein.sessions.create({ tools: [count, count] }))).toBe('tool.duplicate')
    const session = await skein.sessions.create({ tools: [count] })
    expect(await codeOf(session.send('x', { tools: [count] }).result())).toBe('tool.duplicate')
  })
})

describe('tools of others', () => {
  const answers = { content: [{ type: 'text', text: 'from afar' }] }
  const asked: unknown[] = []
  const client = {
    listTools: async (page?: { cursor?: string }) =>
      page?.cursor === undefined
        ? { tools: [{ name: 'look', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } }], nextCursor: 'more' }
        : { tools: [{ name: 'a.b', description: 'Named otherwise.', inputSchema: { type: 'object' } }] },
    callTool: async (params: unknown) => {
      asked.push(params)
      return answers
    },
  }

  verifies('A28', 'of the AI SDK and of MCP pass the same arguments, ledger and events as ours', async () => {
    const add = sdkTool({
      description: 'Adds.',
      inputSchema: jsonSchema<{ a: number; b: number }>({
        type: 'object',
        properties: { a: { type: 'number' }, b: { type: 'number' } },
        required: ['a', 'b'],
      }),
      execute: ({ a, b }) => a + b,
    })
    const session = await (await open()).sessions.create({ tools: { add } })
    const mcp = await mcpTools(client, { name: 'far' })
    const model = scriptedModel([
      {
        calls: [
          { tool: 'add', input: { a: 2, b: 3 } },
          { tool: 'far_look', input: { at: 'x' } },
          { tool: 'add', input: { a: 2 } },
        ],
      },
      'Done.',
    ])
    const run = session.send('go', { model, tools: mcp })
    const events: string[] = []
    for await (const event of run) if (event.type === 'tool_ended') events.push(String(event['tool']))
    expect(events.sort()).toEqual(['add', 'far_look'])
    const results = (await session.messages()).flatMap(({ parts }) => parts.filter(part => part.type === 'tool_result'))
    expect(results).toMatchObject([
      { tool: 'add', status: 'ok', output: 5 },
      { tool: 'far_look', status: 'ok', output: 'from afar', trust: 'external-untrusted' },
      { tool: 'add', status: 'error' },
    ])
    expect(asked).toEqual([{ name: 'look', arguments: { at: 'x' } }])
  })

  it('of MCP are believed only where that is said, and have names that models take', async () => {
    const [plain, trusted] = [await mcpTools(client, { name: 'far' }), await mcpTools(client, { name: 'far', trustHints: true })]
    expect(plain.map(({ name, readOnly }) => [name, readOnly])).toEqual([
      ['far_look', undefined],
      ['far_a_b', undefined],
    ])
    expect(trusted[0]?.readOnly).toBe(true)
  })
})

describe('file tools', () => {
  verifies('A29', 'refuse what lies outside, by whatever path', async () => {
    const [cwd, elsewhere] = [await folder(), await folder()]
    await writeFile(join(elsewhere, 'secret.txt'), 'secret')
    await symlink(elsewhere, join(cwd, 'parent'))
    await symlink(join(elsewhere, 'secret.txt'), join(cwd, 'file'))
    await symlink(join(elsewhere, 'new.txt'), join(cwd, 'dangling'))
    await mkdir(join(cwd, 'inner'))
    await symlink('../..', join(cwd, 'inner', 'up'))
    const name = elsewhere.split('/').at(-1) ?? ''
    const outside = [
      '../' + name + '/secret.txt',
      join(elsewhere, 'secret.txt'),
      '~/secret.txt',
      '~root/secret.txt',
      'parent/secret.txt',
      'parent/deep/er/new.txt',
      'file',
      'dangling',
      `inner/up/${name}/secret.txt`,
      'inner/../../' + name + '/secret.txt',
    ]
    const session = await (await open()).sessions.create({ tools: fileTools({ cwd }), autonomy: 'allow-all' })
    for (const path of outside) {
      const calls: readonly (Call & { readonly input: Json })[] = [
        { tool: 'read', input: { path } },
        { tool: 'ls', input: { path } },
        { tool: 'grep', input: { path, pattern: 's' } },
        { tool: 'write', input: { path, content: 'changed' } },
        { tool: 'edit', input: { path, oldText: 'secret', newText: 'changed' } },
      ]
      // By the rules of a run, and by the tools themselves.
      expect((await call(session, ...calls)).map(({ status }) => status === 'ok')).toEqual(calls.map(() => false))
      for (const { tool, input } of calls)
        expect([path, await alone(cwd, tool, input)]).toEqual([path, expect.stringContaining('outside of the working folder')])
    }
    expect(await readdir(elsewhere)).toEqual(['secret.txt'])
    expect(await readFile(join(elsewhere, 'secret.txt'), 'utf8')).toBe('secret')
    expect(await one(cwd, 'read', { path: join(elsewhere, 'secret.txt') }, { confine: false })).toMatchObject({
      output: 'secret',
    })
    await writeFile(join(cwd, 'own.txt'), 'own')
    expect(await one(cwd, 'read', { path: join(cwd, 'own.txt') })).toMatchObject({ status: 'ok', output: 'own' })
  })

  verifies('A29', 'write nowhere else while a folder is swapped for a symlink again and again', async () => {
    const [cwd, elsewhere] = [await folder(), await folder()]
    await mkdir(join(cwd, 'here'))
    const write = fileTools({ cwd, only: ['write'] })[0] as Tool
    let swapping = true
    const swaps = (async () => {
      for (let n = 0; swapping; n++) {
        await rename(join(cwd, 'here'), join(cwd, 'there'))
        await symlink(elsewhere, join(cwd, 'here'))
        await rm(join(cwd, 'here'))
        await rename(join(cwd, 'there'), join(cwd, 'here'))
      }
    })()
    const session = await (await open()).sessions.create({ tools: [write] })
    const calls = Array.from({ length: 60 }, (_, n) => ({ tool: 'write', input: { path: `here/${n}.txt`, content: 'x' } }))
    await call(session, ...calls)
    swapping = false
    await swaps
    expect(await readdir(elsewhere)).toEqual([])
  })

  verifies('A30', 'edit nothing where a text stands twice, or where one of several edits fails', async () => {
    const cwd = await folder()
    const before = 'one two\none three\n'
    await writeFile(join(cwd, 'a.txt'), before)
    expect(await one(cwd, 'edit', { path: 'a.txt', oldText: 'one', newText: 'x' })).toMatchObject({
      status: 'error',
      output: expect.stringContaining('found 2 times') as string,
    })
    const edits = [
      { oldText: 'two', newText: '2' },
      { oldText: 'four', newText: '4' },
    ]
    expect(await one(cwd, 'edit', { path: 'a.txt', edits })).toMatchObject({ status: 'error' })
    expect(await one(cwd, 'edit', { path: 'a.txt', oldText: 'one', newText: 'x', expectedMatches: 3 })).toMatchObject({
      status: 'error',
    })
    expect(await readFile(join(cwd, 'a.txt'), 'utf8')).toBe(before)
    expect(await one(cwd, 'edit', { path: 'a.txt', oldText: 'one', newText: '$& x', expectedMatches: 2 })).toMatchObject({
      status: 'ok',
    })
    expect(await readFile(join(cwd, 'a.txt'), 'utf8')).toBe('$& x two\n$& x three\n')
  })

  it('keep line ends, byte order mark and mode, and show the difference of a dry run', async () => {
    const cwd = await folder()
    const file = join(cwd, 'w.txt')
    await writeFile(file, '\ufeffa\r\nb\r\nc\r\n')
    await chmod(file, 0o750)
    const dry = await one(cwd, 'edit', { path: 'w.txt', oldText: 'b', newText: 'B', dryRun: true })
    expect(dry.output).toContain('-b\r\n+B\r\n')
    expect(await readFile(file, 'utf8')).toBe('\ufeffa\r\nb\r\nc\r\n')
    await one(cwd, 'edit', { path: 'w.txt', oldText: 'a\nb', newText: 'a\nnew\nb' })
    expect(await readFile(file, 'utf8')).toBe('\ufeffa\r\nnew\r\nb\r\nc\r\n')
    expect((await stat(file)).mode & 0o777).toBe(0o750)
    const bytes = Buffer.from([0x61, 0xff, 0x62])
    await writeFile(join(cwd, 'latin.txt'), bytes)
    expect(await one(cwd, 'edit', { path: 'latin.txt', oldText: 'a', newText: 'x' })).toMatchObject({ status: 'error' })
    expect(await readFile(join(cwd, 'latin.txt'))).toEqual(bytes)
  })

  it('treat existing files as their mode says', async () => {
    const cwd = await folder()
    const file = join(cwd, 'a.txt')
    const path = 'a.txt'
    const outcome = async (
      existing: NonNullable<FileToolsOptions['existing']>,
      act: 'none' | 'read' | 'stale',
    ): Promise<string> => {
      await writeFile(file, 'before')
      const change: Tool = {
        name: 'change',
        description: '',
        input: {},
        run: async () => await writeFile(file, 'by somebody else'),
      }
      const session = await (await open()).sessions.create({ tools: [...fileTools({ cwd, existing }), change] })
      const reads = act === 'none' ? [] : [{ tool: 'read', input: { path } }]
      const changes = act === 'stale' ? [{ tool: 'change', input: {} }] : []
      const results = await call(session, ...reads, ...changes, { tool: 'write', input: { path, content: 'after' } })
      return `${results.at(-1)?.status} ${await readFile(file, 'utf8')}`
    }
    expect(await outcome('warn', 'none')).toBe('ok after')
    expect(await outcome('requireRead', 'none')).toBe('error before')
    expect(await outcome('requireRead', 'stale')).toBe('ok after')
    expect(await outcome('blockStale', 'read')).toBe('ok after')
    expect(await outcome('blockStale', 'stale')).toBe('error by somebody else')
    expect(await outcome('deny', 'read')).toBe('error before')
  })

  it('read ranges, say where to go on, and name what is near', async () => {
    const cwd = await folder()
    const lines = Array.from({ length: 1_200 }, (_, n) => `line ${n + 1}`)
    await writeFile(join(cwd, 'long.txt'), `${lines.join('\r\n')}\r\n`)
    const first = textOf(await one(cwd, 'read', { path: 'long.txt' }))
    expect(first.split('\n').slice(0, 500)).toEqual(lines.slice(0, 500))
    expect(first).toContain('Read on with startLine 501')
    expect((await one(cwd, 'read', { path: 'long.txt', startLine: 1_199, endLine: 1_200 })).output).toBe('line 1199\nline 1200')
    expect((await one(cwd, 'read', { path: 'lnog.txt' })).output).toBe('File not found: lnog.txt. Did you mean long.txt?')
    await writeFile(join(cwd, 'wide.txt'), `${'ä'.repeat(60_000)}\nnext\n`)
    const wide = textOf(await one(cwd, 'read', { path: 'wide.txt' }))
    expect(Buffer.byteLength(wide)).toBeLessThan(50_300)
    expect(wide).not.toContain('\ufffd')
    await writeFile(join(cwd, 'bin'), Buffer.from([1, 0, 2]))
    expect(await one(cwd, 'read', { path: 'bin' })).toMatchObject({ status: 'error', output: 'bin is binary, 3 bytes.' })
    await writeFile(join(cwd, 'huge.txt'), `${'x'.repeat(99)}\n`.repeat(60_000))
    expect(await one(cwd, 'read', { path: 'huge.txt' })).toMatchObject({ status: 'error' })
    expect((await one(cwd, 'read', { path: 'huge.txt', startLine: 59_999, endLine: 59_999 })).output).toBe('x'.repeat(99))
    expect(spawnSync('mkfifo', [join(cwd, 'pipe')]).status).toBe(0)
    expect(await one(cwd, 'read', { path: 'pipe' })).toMatchObject({ status: 'error', output: 'pipe is no plain file.' })
  })

  it('leave out what is ignored, and stop a pattern that never ends', async () => {
    const cwd = await folder()
    await mkdir(join(cwd, 'src/deep'), { recursive: true })
    await mkdir(join(cwd, 'dist'))
    await writeFile(join(cwd, '.gitignore'), 'dist/\n*.log\n!keep.log\n')
    await writeFile(join(cwd, 'src/.gitignore'), '/deep/*.tmp\n')
    for (const path of ['dist/a.js', 'x.log', 'keep.log', 'src/b.ts', 'src/deep/c.tmp', 'src/deep/d.ts'])
      await writeFile(join(cwd, path), `needle in ${path}\n`)
    expect(textOf(await one(cwd, 'ls', { recursive: true })).split('\n')).toEqual([
      '.gitignore',
      'keep.log',
      'src/',
      'src/.gitignore',
      'src/b.ts',
      'src/deep/',
      'src/deep/d.ts',
    ])
    const found = textOf(await one(cwd, 'grep', { pattern: 'NEEDLE', ignoreCase: true }))
    expect(found.split('\n').map(line => line.split(':')[0])).toEqual(['keep.log', 'src/b.ts', 'src/deep/d.ts'])
    expect((await one(cwd, 'grep', { pattern: '^need.* src/b', regex: true, glob: '*.ts' })).output).toBe(
      'src/b.ts:1: needle in src/b.ts',
    )
    await writeFile(join(cwd, 'evil.txt'), `${'a'.repeat(40)}!`)
    expect(await one(cwd, 'grep', { pattern: '^(a+)+$', regex: true })).toMatchObject({
      status: 'error',
      output: 'The pattern took longer than 5 s.',
    })
  })
})

describe('a shell command', () => {
  const groupOf = (pid: string): string[] =>
    spawnSync('ps', ['-eo', 'pid=,pgid=,stat='], { encoding: 'utf8' })
      .stdout.split('\n')
      .map(line => line.trim().split(/\s+/))
      .filter(([, group, state]) => group === pid && state?.startsWith('Z') !== true)
      .map(([id = '']) => id)

  verifies('A31', 'leaves nothing of its group when its time is up, not even what is deaf', async () => {
    const cwd = await folder()
    const command = 'echo $$ > pid; trap "" TERM; (trap "" TERM; sleep 300) & sleep 300 & echo began; sleep 300'
    const result = await one(cwd, 'bash', { command, timeoutSeconds: 1 })
    expect(result).toMatchObject({ status: 'error', output: expect.stringMatching(/^began\n\[Ended after 1 s/) as string })
    expect(groupOf((await readFile(join(cwd, 'pid'), 'utf8')).trim())).toEqual([])
  })

  verifies('A31', 'leaves nothing of its group when it ends, and when its run is cancelled', async () => {
    const cwd = await folder()
    expect(await one(cwd, 'bash', { command: 'echo $$ > pid; sleep 300 & echo done' })).toMatchObject({
      status: 'ok',
      output: 'done',
    })
    expect(groupOf((await readFile(join(cwd, 'pid'), 'utf8')).trim())).toEqual([])
    await rm(join(cwd, 'pid'))
    const session = await (await open()).sessions.create({ tools: fileTools({ cwd }) })
    const run = session.send('go', {
      model: scriptedModel([{ calls: [{ tool: 'bash', input: { command: 'sleep 300 & echo $$ > pid; sleep 300' } }] }]),
    })
    await expect.poll(() => existsSync(join(cwd, 'pid'))).toBe(true)
    const pid = await expect
      .poll(async () => (await readFile(join(cwd, 'pid'), 'utf8')).trim())
      .not.toBe('')
      .then(() => readFile(join(cwd, 'pid'), 'utf8'))
    await run.cancel()
    expect((await run.result()).status).toBe('cancelled')
    await expect.poll(() => groupOf(pid.trim())).toEqual([])
  })

  it('shows the end of what it says, its exit code, and no secret', async () => {
    const cwd = await folder()
    const tail = textOf(await one(cwd, 'bash', { command: 'seq 1 5000' }))
    expect(tail.split('\n').length).toBeLessThanOrEqual(2_001)
    expect(tail.endsWith('\n4999\n5000')).toBe(true)
    expect(Buffer.byteLength(textOf(await one(cwd, 'bash', { command: 'head -c 200000 /dev/zero | tr "\\0" x' })))).toBeLessThan(
      52_000,
    )
    expect(await one(cwd, 'bash', { command: 'echo no >&2; exit 3' })).toMatchObject({
      status: 'error',
      output: 'no\n[Exit code 3]',
    })
    const secrets = { PASSWORD: 'hunter2 & more' }
    const asked = { command: 'echo "$PASSWORD"; echo "$PASSWORD" > kept', withSecrets: ['PASSWORD'] }
    expect(JSON.parse(await alone(cwd, 'bash', asked, { secrets }))).toMatchObject({ content: '[REDACTED_SECRET]' })
    expect(await readFile(join(cwd, 'kept'), 'utf8')).toBe('hunter2 & more\n')
    const unasked = await one(cwd, 'bash', { command: 'echo "[$PASSWORD]"; cat kept' }, { secrets })
    expect(textOf(unasked)).toBe('[]\n[REDACTED_SECRET]')
    expect(await one(cwd, 'bash', { command: 'x', withSecrets: ['OTHER'] }, { secrets })).toMatchObject({ status: 'error' })
  })
})

describe('ask_user', () => {
  it('leaves the question open where nobody can answer', async () => {
    const cwd = await folder()
    const result = await (async () => {
      const session = await (await open()).sessions.create({ tools: fileTools({ cwd }) })
      const model = scriptedModel([{ calls: [{ tool: 'ask_user', input: { question: 'Which?' } }] }, 'Done.'])
      await session.send('go', { model }).result()
      return (await session.messages()).flatMap(({ parts }) => parts.filter(part => part.type === 'tool_result'))[0]
    })()
    expect(result).toMatchObject({ status: 'ok', details: { question: 'Which?' } })
  })
})
