import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { repository } from './pack.ts'

const bin = join(repository, 'bin/skein.cjs')
const folder = mkdtempSync(join(tmpdir(), 'skein-node-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The machine's own path, without what npm put before it. */
const systemPath = (process.env['PATH'] ?? '').split(delimiter).filter(place => !/node_modules|node-gyp-bin/.test(place))

function numbers(version: string): number[] {
  return version.replace('v', '').split('.').map(Number)
}

function isCurrent(version: string): boolean {
  const [major = 0, minor = 0] = numbers(version)
  return major > 24 || (major === 24 && minor >= 15)
}

/** Node as it would be, had it another version. */
function pretend(version: string): string[] {
  const file = join(folder, `${version}.cjs`)
  const versions = `Object.assign({}, process.versions, { node: '${version.slice(1)}' })`
  writeFileSync(
    file,
    `Object.defineProperty(process, 'version', { value: '${version}' }); Object.defineProperty(process, 'versions', { value: ${versions} })`,
  )
  return ['--require', file]
}

describe('the bin on an old Node', () => {
  for (const version of ['v0.10.48', 'v8.17.0', 'v20.20.2', 'v24.14.1']) {
    verifies('H20', `says its one line and exits 1 on ${version}`, () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [...pretend(version), bin, 'ls'], { encoding: 'utf8' })
      expect({ status, stdout, stderr }).toEqual({
        status: 1,
        stdout: '',
        stderr: `skein needs Node >= 24.15.0, found ${version}\n`,
      })
    })
  }

  for (const version of ['v24.15.0', 'v25.0.0', 'v100.0.0']) {
    it(`goes on on ${version}`, () => {
      const { stderr } = spawnSync(process.execPath, [...pretend(version), bin, '--version'], { encoding: 'utf8' })
      expect(stderr).not.toContain('needs Node')
    })
  }

  const old = systemPath
    .map(place => join(place, 'node'))
    .find(node => existsSync(node) && !isCurrent(execFileSync(node, ['--version'], { encoding: 'utf8' })))
  it.skipIf(old === undefined)("says so on this machine's own", () => {
    const { status, stdout, stderr } = spawnSync(old ?? '', [bin], { encoding: 'utf8' })
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^skein needs Node >= 24\.15\.0, found v[\d.]+\n$/)
  })
})

describe('npm scripts', () => {
  verifies('H20', "run on a current Node, whatever the machine's own is", () => {
    expect(isCurrent(process.version)).toBe(true)
    const env = { ...process.env, PATH: systemPath.join(delimiter) }
    const version = execFileSync('npm', ['exec', '--offline', '--call', 'node --version'], {
      cwd: repository,
      env,
      encoding: 'utf8',
    })
    expect(isCurrent(version.trim())).toBe(true)
  })

  it('ask for the Node that package.json and the bin ask for', () => {
    const { engines } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { engines: { node: string } }
    expect(engines.node).toBe('>=24.15')
    expect(readFileSync(bin, 'utf8')).toContain('var needed = [24, 15, 0]')
  })
})
