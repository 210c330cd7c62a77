import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Config } from '#agent'
import { isSkeinError, type SkeinError } from '#kernel'
import { verifies } from '#verifies'
import { loadConfig } from './config-files.ts'
import { Settings } from './settings.ts'

let root = ''
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'skein-config-'))))
afterEach(() => rmSync(root, { recursive: true, force: true }))

const userFile = (): string => join(root, 'home/.config/skein/config.toml')
const projectFile = (): string => join(root, 'work/.skein/config.toml')

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

function load(
  env: Record<string, string> = {},
  flags: Record<string, string> = {},
  more: { file?: string; cwd?: string } = {},
): Config {
  return loadConfig({ env: { HOME: join(root, 'home'), ...env }, cwd: more.cwd ?? join(root, 'work'), flags, file: more.file })
}

const valueOf = (config: Config, key: string): unknown => config.settings.get(key)?.value
const layerOf = (config: Config, key: string): unknown => config.settings.get(key)?.layer

function failureOf(run: () => unknown): SkeinError {
  try {
    run()
  } catch (error) {
    if (isSkeinError(error)) return error
    throw error
  }
  throw new Error('Nothing was refused.')
}

describe('layers', () => {
  verifies('H18', 'each layer wins over those below it, key by key', () => {
    expect(valueOf(load(), 'maxSteps')).toBe(100)
    write(userFile(), 'maxSteps = 1\nmodel = "opus"\nthinking = "high"\n[sessions]\nliveMax = 7\nidleMs = 5000\n')
    expect([valueOf(load(), 'maxSteps'), layerOf(load(), 'maxSteps')]).toEqual([1, 'user'])
    write(projectFile(), 'maxSteps = 2\n[sessions]\nliveMax = 8\n')
    expect([valueOf(load(), 'maxSteps'), layerOf(load(), 'maxSteps')]).toEqual([2, 'project'])
    expect([valueOf(load({ SKEIN_MAX_STEPS: '3' }), 'maxSteps'), layerOf(load({ SKEIN_MAX_STEPS: '3' }), 'maxSteps')]).toEqual([
      3,
      'environment',
    ])
    const all = load({ SKEIN_MAX_STEPS: '3', SKEIN_MODEL: 'haiku' }, { maxSteps: '4' })
    expect([valueOf(all, 'maxSteps'), layerOf(all, 'maxSteps')]).toEqual([4, 'flag'])
    expect([valueOf(all, 'model'), valueOf(all, 'thinking')]).toEqual(['haiku', 'high'])
    expect([valueOf(all, 'sessions.liveMax'), valueOf(all, 'sessions.idleMs')]).toEqual([8, 5_000])
  })

  verifies('H18', 'a key that is nearly one of ours is a notice that names it', () => {
    write(userFile(), 'prot = 1\n')
    const config = load()
    expect(config.notices).toEqual([`${userFile()}:1: unknown key prot; the nearest is server.port.`])
    expect(valueOf(config, 'server.port')).toBe(7_544)
    write(userFile(), '# first\n[server]\nhost = "::1"\nprot = 1\n')
    expect(load().notices).toEqual([`${userFile()}:4: unknown key server.prot; the nearest is server.port.`])
  })

  verifies('H18', "a project's store, server, tokens, credentials and base URLs change nothing", () => {
    write(
      projectFile(),
      [
        'store = "sqlite:/tmp/theirs.db"',
        'url = "http://theirs.example"',
        'token = "env:THEIRS"',
        'credentials = "theirs.json"',
        'model = "haiku"',
        '[server]',
        'host = "0.0.0.0"',
        'nonsense = 1',
        '[tokens.theirs]',
        'secret = "literally"',
        '[providers.openai]',
        'baseUrl = "http://theirs.example"',
      ].join('\n'),
    )
    const plain = load({ SKEIN_HOME: join(root, 'data') })
    expect(valueOf(plain, 'store')).toBe(`sqlite:${join(root, 'data', 'skein.db')}`)
    expect(layerOf(plain, 'server.host')).toBe('default')
    expect([...plain.settings.values()].filter(({ layer }) => layer === 'project').map(({ value }) => value)).toEqual(['haiku'])
    for (const ignored of ['store', 'url', 'token', 'credentials', 'server', 'tokens', 'providers']) {
      expect(plain.notices.filter(notice => notice.includes(`: ${ignored} is ignored here`))).toHaveLength(1)
    }
  })

  it('stating a default resets to it', () => {
    write(userFile(), 'maxSteps = 7\n')
    write(projectFile(), 'maxSteps = 100\n')
    expect([valueOf(load(), 'maxSteps'), layerOf(load(), 'maxSteps')]).toEqual([100, 'project'])
  })

  it('merges tables by key and replaces arrays', () => {
    write(userFile(), '[server]\norigins = ["https://a.example", "https://b.example"]\nport = 1\n')
    const config = load({ SKEIN_SERVER_ORIGINS: 'https://c.example' })
    expect([valueOf(config, 'server.origins'), valueOf(config, 'server.port')]).toEqual([['https://c.example'], 1])
  })

  it('takes a blank variable for none', () => {
    write(userFile(), 'model = "opus"\n')
    expect(valueOf(load({ SKEIN_MODEL: '', SKEIN_SERVER_PORT: ' ' }), 'model')).toBe('opus')
    expect(valueOf(load({ SKEIN_SERVER_PORT: ' ' }), 'server.port')).toBe(7_544)
  })

  it('finds the nearest project file upward', () => {
    write(join(root, '.skein/config.toml'), 'maxSteps = 1\n')
    write(projectFile(), 'maxSteps = 2\n')
    mkdirSync(join(root, 'work/deep/er'), { recursive: true })
    expect(valueOf(load({}, {}, { cwd: join(root, 'work/deep/er') }), 'maxSteps')).toBe(2)
    expect(valueOf(load({}, {}, { cwd: root }), 'maxSteps')).toBe(1)
  })

  it("reads --config instead of the user's file, which must then be there", () => {
    write(userFile(), 'maxSteps = 1\n')
    write(join(root, 'own.toml'), 'maxSteps = 5\n')
    expect(valueOf(load({}, {}, { file: join(root, 'own.toml') }), 'maxSteps')).toBe(5)
    expect(failureOf(() => load({}, {}, { file: join(root, 'nowhere.toml') })).code).toBe('config.invalid')
  })

  it('accepts the sections of later rooms as they are', () => {
    write(userFile(), '[memory]\nanything = 1\n[gateway.deeper]\nx = [1]\n')
    expect(load().notices).toEqual([])
  })

  it('keeps data under SKEIN_HOME, else under XDG, else at home', () => {
    expect(valueOf(load({ SKEIN_HOME: '/d' }), 'store')).toBe('sqlite:/d/skein.db')
    expect(valueOf(load({ XDG_DATA_HOME: '/x' }), 'store')).toBe('sqlite:/x/skein/skein.db')
    expect(valueOf(load(), 'store')).toBe(`sqlite:${join(root, 'home/.local/share/skein/skein.db')}`)
  })
})

describe('a wrong value', () => {
  it('is refused with file, line and key', () => {
    write(userFile(), '# first\nmodel = "opus"\n\n[server]\nport = "many"\n')
    const { code, message, details } = failureOf(() => load())
    expect(code).toBe('config.invalid')
    expect(details).toEqual({ file: userFile(), line: 5, key: 'server.port', layer: 'user' })
    expect(message).toBe(`${userFile()}:5: server.port: Expected a whole number from 0 to 65535.`)
  })

  it('out of range is refused, in a file, a variable and a flag', () => {
    write(userFile(), 'maxSteps = 0\n')
    expect(failureOf(() => load()).code).toBe('config.invalid')
    rmSync(userFile())
    expect(failureOf(() => load({ SKEIN_SERVER_PORT: '65536' })).details['variable']).toBe('SKEIN_SERVER_PORT')
    expect(failureOf(() => load({}, { 'server.port': '-1' })).message).toBe('--port: Expected a whole number from 0 to 65535.')
    expect(failureOf(() => load({ SKEIN_MODE: 'wroker' })).message).toContain('worker')
  })

  it('of a text that is no TOML is refused with its line', () => {
    write(userFile(), 'model = "opus"\nmaxSteps = = 2\n')
    expect(failureOf(() => load()).details).toEqual({ file: userFile(), line: 2, key: null, layer: 'user' })
  })

  it('of an autonomy ignores case and underscores', () => {
    expect(valueOf(load({ SKEIN_AUTONOMY: 'YOLO_LOCAL' }), 'autonomy')).toBe('yolo-local')
  })
})

describe('secrets', () => {
  it('are named in a file, never written there', () => {
    write(userFile(), '[tokens.ci]\nsecret = "s3cret"\n')
    const { code, message } = failureOf(() => load())
    expect([code, message.includes('s3cret')]).toEqual(['config.invalid', false])
  })

  it('come from a variable or a file beside the one that names it', () => {
    write(
      userFile(),
      'token = "file:token.txt"\n[tokens.ci]\nsecret = "env:CI_TOKEN"\ntenant = "acme"\nscopes = ["read"]\n[providers.openai]\napiKey = "env:KEY"\n',
    )
    write(join(dirname(userFile()), 'token.txt'), 'abc\n')
    const env = { HOME: join(root, 'home'), CI_TOKEN: 'def', KEY: 'ghi' }
    const settings = new Settings(load(env), env, root)
    expect(settings.secret('token')).toBe('abc')
    expect(settings.tokens()).toEqual([{ name: 'ci', secret: 'def', tenant: 'acme', scopes: ['read'], owners: undefined }])
    expect(settings.providerEnvironment()['OPENAI_API_KEY']).toBe('ghi')
  })

  it('that are not there are refused by their key', () => {
    write(userFile(), 'token = "env:NOT_SET"\n')
    const settings = new Settings(load(), {}, root)
    expect(failureOf(() => settings.secret('token')).message).toBe('token: there is nothing at env:NOT_SET.')
  })

  verifies('H23', 'are masked where settings are shown', () => {
    const env = { SKEIN_TOKEN: 'skn_secret1', SKEIN_STORE: 'postgres://me:secret2@db/x?sslpassword=secret3' }
    const shown = JSON.stringify(new Settings(load(env), env, root).shown())
    for (const secret of ['secret1', 'secret2', 'secret3']) expect(shown).not.toContain(secret)
    expect(shown).toContain('postgres://me:***@db/x?sslpassword=***')
  })
})
