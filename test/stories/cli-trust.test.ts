import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { type Ended, makePlace, type Place } from './command-line.ts'

let place: Place
beforeEach(() => (place = makePlace()))
afterEach(() => place.remove())

function project(text: string): void {
  mkdirSync(join(place.cwd, '.skein'), { recursive: true })
  writeFileSync(join(place.cwd, '.skein', 'config.toml'), text)
}

/** What `skein config` says of a key. */
const row = ({ stdout }: Ended, key: string): unknown =>
  (JSON.parse(stdout) as { items: { key: string; value: unknown; layer: string }[] }).items
    .filter(item => item.key === key)
    .map(({ value, layer }) => [value, layer])[0]

describe('skein trust', () => {
  verifies('A2', 'lets a project allow more, until it is taken back', async () => {
    project('autonomy = "allow-all"\n[policy]\ndenyTools = ["bash"]\n')
    const before = await place.here(['config', '--json'])
    expect(row(before, 'autonomy')).toEqual(['safe', 'default'])
    expect(row(before, 'policy.denyTools')).toEqual([['bash'], 'project'])
    expect(before.stderr).toContain('autonomy is ignored')
    const trusted = await place.here(['trust', '--json'])
    expect(trusted).toMatchObject({ code: 0 })
    const list = join(place.home, '.config/skein/trusted.json')
    expect(JSON.parse(readFileSync(list, 'utf8'))).toEqual(JSON.parse(trusted.stdout))
    expect(statSync(list).mode & 0o777).toBe(0o600)
    const after = await place.here(['config', '--json'])
    expect(row(after, 'autonomy')).toEqual(['allow-all', 'project'])
    expect(after.stderr).not.toContain('ignored')
    expect(await place.here(['trust', '--remove'])).toMatchObject({ code: 0, stdout: '' })
    expect(row(await place.here(['config', '--json']), 'autonomy')).toEqual(['safe', 'default'])
  })

  verifies('A2', 'lets the modules of a project be loaded, those of its folder and those that its file names', async () => {
    const extension = (path: string, name: string): void => {
      mkdirSync(dirname(join(place.cwd, path)), { recursive: true })
      const text = `import { appendFileSync } from 'node:fs'
        appendFileSync(${JSON.stringify(join(place.cwd, 'loaded'))}, '${name} ')
        export default skein => skein.tool({ name: '${name}', description: 'x', input: { type: 'object' }, run: () => '${name} ran' })`
      writeFileSync(join(place.cwd, path), text)
    }
    project('model = "demo/echo"\nextensions = ["../tools/named.mjs"]\n')
    extension('.skein/extensions/found.mjs', 'found')
    extension('tools/named.mjs', 'named')
    mkdirSync(join(place.cwd, 'deep'))
    const ran = async (name: string): Promise<readonly [boolean, string]> => {
      const ended = await place.here(['run', `/call ${name} {}`, '--print'], { cwd: join(place.cwd, 'deep') })
      return [ended.stdout.includes(`${name} returned: ${name} ran`), ended.stderr]
    }
    const [untrusted, told] = await ran('found')
    expect(untrusted).toBe(false)
    expect(told).toMatch(/extensions is ignored: the project isn't trusted \(skein trust\)/)
    expect((await ran('named'))[0]).toBe(false)
    expect(existsSync(join(place.cwd, 'loaded'))).toBe(false)
    expect(await place.here(['trust'])).toMatchObject({ code: 0 })
    expect(await ran('found')).toEqual([true, expect.not.stringContaining('ignored')])
    expect((await ran('named'))[0]).toBe(true)
    expect(await place.here(['trust', '--remove'])).toMatchObject({ code: 0 })
    expect((await ran('found'))[0]).toBe(false)
  })

  verifies('A1 A3', 'or not, a run obeys flags over variables over files, and a wrong value writes nothing', async () => {
    project('maxSteps = 1\nmodel = "demo/echo"\n')
    const steps = async (args: readonly string[], env: Record<string, string> = {}): Promise<unknown> => {
      const ended = await place.here(['run', '/call ls {}', ...args, '--json'], { env })
      const last = ended.stdout.trim().split('\n').at(-1) ?? ''
      return [ended.code, (JSON.parse(last) as { steps?: number }).steps]
    }
    expect(await steps([])).toEqual([4, 1])
    expect(await steps([], { SKEIN_MAX_STEPS: '2' })).toEqual([0, 2])
    expect(await steps(['--max-steps', '1'], { SKEIN_MAX_STEPS: '2' })).toEqual([4, 1])
    const count = async (): Promise<number> =>
      (JSON.parse((await place.here(['sessions', 'ls', '--json'])).stdout) as { items: unknown[] }).items.length
    const had = await count()
    const wrong = await place.here(['run', 'hi', '--json'], { env: { SKEIN_MODE: 'wroker' } })
    expect(wrong.code).toBe(2)
    expect(wrong.stdout + wrong.stderr).toContain('config.invalid')
    expect(await count()).toBe(had)
  })
})
