import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { makePlace, type Place } from './command-line.ts'

let place: Place
beforeEach(() => void (place = makePlace()))
afterEach(() => place.remove())

function configure(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

describe('the doctor', () => {
  it('finds nothing in a store that is well, and says where all values come from', async () => {
    await place.skein(['run', 'hi'])
    const { code, stdout } = await place.skein(['doctor', '--deep'], { env: { SKEIN_SERVER_PORT: '8000' } })
    expect(code).toBe(0)
    expect(stdout).toMatch(/1 session, \d+ entries, 0 blobs/)
    expect(stdout).toContain('mode 0600')
    expect(stdout).toMatch(/^server\.port +8000 +environment {2}SKEIN_SERVER_PORT$/m)
    expect(stdout).toMatch(/^maxSteps +100 +default$/m)
  })

  it('exits 1 where others can read the store', async () => {
    await place.skein(['run', 'hi'])
    chmodSync(place.store, 0o644)
    const { code, stdout } = await place.skein(['doctor', '--json'])
    const { findings } = JSON.parse(stdout) as { findings: { kind: string }[] }
    expect([code, findings.map(({ kind }) => kind)]).toEqual([1, ['mode']])
  })

  it('exits 1 for what is no store, and leaves it as it is', async () => {
    configure(place.store, 'This is a letter, not a store. '.repeat(40))
    chmodSync(place.store, 0o600)
    const { code, stdout } = await place.skein(['doctor', '--json'])
    expect([code, (JSON.parse(stdout) as { findings: { kind: string }[] }).findings.map(({ kind }) => kind)]).toEqual([
      1,
      ['store.foreign'],
    ])
    expect(readFileSync(place.store, 'utf8')).toMatch(/^This is a letter/)
  })
})

describe('wrong input', () => {
  it.each([
    [['sessions', 'import', 'nowhere.skein'], 'skein: nowhere.skein: There is no such file or folder.\n'],
    [['sessions', 'import', '.'], 'skein: .: This is a folder.\n'],
    [['sessions', 'import', ''], 'skein: file: Name a file, or - for stdin.\n'],
    [
      ['sessions', 'show', 'nobody'],
      'skein: There is no session nobody.\nskein sessions ls lists what there is; --state deleted what was deleted.\n',
    ],
  ])('%j is told in words', async (args, told) => {
    expect((await place.here(args)).stderr).toBe(told)
  })

  it('of a folder as the store exits 8 and is no fault of Skein', async () => {
    const { code, stderr } = await place.here(['sessions', 'ls', '--store', 'sqlite:.'])
    expect([code, stderr]).toEqual([8, `skein: ${place.cwd} is a folder. Name a file in it.\n`])
  })

  it('--version is no mistake', async () => {
    expect((await place.here(['--version'])).stdout).toBe((await place.here(['version'])).stdout)
  })
})

describe('a copy', () => {
  it('of the store holds what the store holds, for its owner alone', async () => {
    await place.skein(['run', 'to be kept safe'])
    expect((await place.skein(['backup', 'copy.db'])).code).toBe(0)
    const copy = join(place.cwd, 'copy.db')
    expect(statSync(copy).mode & 0o777).toBe(0o600)
    const [original, copied] = [
      await place.skein(['sessions', 'ls', '--json']),
      await place.skein(['sessions', 'ls', '--json', '--store', `sqlite:${copy}`]),
    ]
    expect(copied.stdout).toBe(original.stdout)
    expect((await place.skein(['doctor', '--store', `sqlite:${copy}`])).code).toBe(0)
  })
})

describe('the format', () => {
  it('is looked at without making or changing anything', async () => {
    expect((await place.skein(['migrate', '--check'])).stdout).toBe('There is no store yet.\n')
    expect(existsSync(place.store)).toBe(false)
    await place.skein(['run', 'hi'])
    const { code, stdout } = await place.skein(['migrate', '--check'])
    expect([code, stdout]).toEqual([0, "format 1, this release's is 1: nothing to do\n"])
    expect((await place.skein(['migrate'])).stdout).toBe('format 1: nothing to do\n')
  })

  it('of a newer release is refused with 8, of another program, too', async () => {
    await place.skein(['run', 'hi'])
    const bytes = readFileSync(place.store)
    bytes.writeUInt32BE(99, 60)
    writeFileSync(join(place.cwd, 'newer.db'), bytes)
    expect((await place.skein(['migrate', '--check', '--store', 'sqlite:newer.db'])).code).toBe(8)
    bytes.writeUInt32BE(1, 68)
    writeFileSync(join(place.cwd, 'theirs.db'), bytes)
    expect((await place.skein(['migrate', '--check', '--store', 'sqlite:theirs.db'])).code).toBe(8)
  })
})

describe('configuration', () => {
  verifies('H18', "a project's file says what it may and is told what it may not", async () => {
    configure(join(place.cwd, '.skein/config.toml'), 'model = "demo/echo"\nstore = "sqlite:theirs.db"\nprot = 1\n')
    const { code, stdout, stderr } = await place.skein(['run', 'hi', '--print'])
    expect([code, stdout]).toEqual([0, 'You said: hi\n'])
    expect(stderr).toContain('store is ignored here')
    expect(stderr).toContain('unknown key prot; the nearest is server.port.')
    expect([existsSync(place.store), existsSync(join(place.cwd, 'theirs.db'))]).toEqual([true, false])
  })

  it('that is wrong ends any command with 2, before anything is done', async () => {
    configure(join(place.home, '.config/skein/config.toml'), '[server]\nport = "x"\n')
    const { code, stderr } = await place.skein(['run', 'hi'])
    expect([code, stderr.includes('config.toml:2: server.port')]).toEqual([2, true])
    expect(existsSync(place.store)).toBe(false)
  })

  it('of the user says when sessions are sealed; a project has no say in it', async () => {
    configure(join(place.cwd, '.skein/config.toml'), '[memory]\ncommit = "manual"\n')
    configure(
      join(place.home, '.config/skein/config.toml'),
      '[memory.commit]\nmaxMessages = 2\nkeepTurns = 0\nminIntervalMs = 0\n',
    )
    await place.skein(['run', 'hi'])
    const { items } = JSON.parse((await place.skein(['sessions', 'ls', '--json'])).stdout) as { items: { id: string }[] }
    expect((await place.skein(['archives', items[0]?.id ?? ''])).stdout).toMatch(/^arc_/)
    configure(join(place.home, '.config/skein/config.toml'), '[memory]\ncomit = "manual"\n')
    const { code, stderr } = await place.skein(['run', 'hi'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('memory.comit')])
  })

  it('goes by SKEIN_HOME where that is set', async () => {
    await place.skein(['run', 'hi'], { env: { SKEIN_HOME: join(place.home, 'elsewhere') } })
    expect([existsSync(join(place.home, 'elsewhere/skein.db')), existsSync(place.store)]).toEqual([true, false])
  })
})

describe('asking for the version', () => {
  it('makes no store', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
    expect((await place.skein(['version'])).stdout).toBe(`${version}\n`)
    expect(JSON.parse((await place.skein(['version', '--json'])).stdout)).toEqual({
      version,
      store: { adapter: 'sqlite', format: 1 },
    })
    expect(existsSync(place.store)).toBe(false)
  })
})

describe('a store whose folder is not there', () => {
  it('is told by name, and no folder is made', async () => {
    const folder = join(place.home, 'typo')
    const { code, stderr } = await place.here(['sessions', 'ls', '--store', `sqlite:${join(folder, 'x.db')}`])
    expect([code, stderr]).toEqual([9, expect.stringContaining(folder)])
    expect(existsSync(folder)).toBe(false)
  })

  it('is made where it is the default', async () => {
    expect((await place.here(['sessions', 'ls'])).code).toBe(0)
    expect(existsSync(place.store)).toBe(true)
  })
})

describe('a model that is asked about', () => {
  it.each([
    ['anthropic/claude-opus-4-6', {}, 6],
    ['anthropic/claude-opus-4-6', { ANTHROPIC_API_KEY: 'key' }, 0],
    ['demo/echo', {}, 0],
  ])('%s with %j exits %i', async (reference, env, code) => {
    for (const more of [[], ['--json']]) {
      const ended = await place.here(['models', 'check', reference, ...more], { env })
      expect(ended.code).toBe(code)
      expect(ended.stdout).not.toBe('')
    }
  })
})

describe('run --json', () => {
  it('prints every event and last the result', async () => {
    const { code, stdout } = await place.here(['run', 'hi', '--json'])
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
    expect(code).toBe(0)
    expect(lines.at(-2)).toMatchObject({ type: 'run_ended' })
    expect(lines.at(-1)).toMatchObject({ status: 'done', text: 'You said: hi', steps: 1, cost: 0, demo: true })
    expect(lines.at(-1)).not.toHaveProperty('type')
  })
})
