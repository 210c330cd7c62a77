import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect } from 'vitest'
import { credentialFile } from '#models'
import { verifies } from '#verifies'

const folder = mkdtempSync(join(tmpdir(), 'skein-credentials-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const refresher = new URL('refresher.ts', import.meta.url)
const keeper = new URL('keeper.ts', import.meta.url)
const argumentsOf = (program: URL, ...given: string[]): string[] => [
  '--conditions=skein-source',
  fileURLToPath(program),
  ...given,
]

/** A provider whose refresh tokens are good for once; the second use is refused, as providers do. */
async function tokenServer(first: string) {
  let good = first
  const used: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (piece: Buffer) => (body += piece.toString()))
    request.on('end', () => {
      used.push(body)
      if (body !== good) return void response.writeHead(400).end()
      good = `r${used.length}`
      const token = { accessToken: `token ${used.length}`, refreshToken: good, expiresAt: Date.now() + 3_600_000 }
      response.end(JSON.stringify(token))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    used,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}

/** What a process says, line by line. */
async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  let text = ''
  for await (const piece of child.stdout ?? []) {
    text += String(piece)
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    yield* lines
  }
}

describe('ten processes', () => {
  verifies('P15', 'that find a token due cause one refresh, and all use what it gave', async () => {
    const file = join(folder, 'ten.json')
    writeFileSync(
      file,
      JSON.stringify({ version: 7, openai: { oauth: { accessToken: 'old', refreshToken: 'r0', expiresAt: 1 } } }),
    )
    await using server = await tokenServer('r0')
    const children = Array.from({ length: 10 }, () => spawn(process.execPath, argumentsOf(refresher, file, server.url)))
    const said = children.map(child => linesOf(child))
    const errors = children.map(child => {
      let text = ''
      child.stderr.on('data', (piece: Buffer) => (text += piece.toString()))
      return () => text
    })
    try {
      const next = (): Promise<unknown[]> => Promise.all(said.map(async lines => (await lines.next()).value as unknown))
      expect(await next()).toEqual(Array(10).fill('ready'))
      for (const child of children) child.stdin.write('go\n')
      expect(await next(), errors.map(error => error()).join('')).toEqual(Array(10).fill('token 1'))
      expect(server.used).toEqual(['r0'])
      expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: 7, openai: { oauth: { refreshToken: 'r1' } } })
    } finally {
      for (const child of children) child.kill('SIGKILL')
    }
  })
})

describe('a process that is killed while it writes', () => {
  const before = { version: 12, groq: { note: 'mine', apiKey: 'old-key' }, zai: { apiKey: 'other' } }
  const after = { ...before, groq: { ...before.groq, apiKey: 'new-key' } }

  /** Runs a change that is killed at a step; gives how many steps it had if it was not. */
  const change = (file: string, at: number): Promise<{ readonly steps?: number }> =>
    new Promise((resolve, reject) => {
      execFile(process.execPath, argumentsOf(keeper, file, 'new-key', String(at)), (error, stdout, stderr) => {
        if (error === null) resolve({ steps: Number(stdout) })
        else if (error.signal === 'SIGKILL') resolve({})
        else reject(new Error(stderr))
      })
    })

  const prepared = (name: string): string => {
    const file = join(mkdtempSync(join(folder, `${name}-`)), 'credentials.json')
    writeFileSync(file, JSON.stringify(before), { mode: 0o600 })
    return file
  }

  verifies('P13', 'leaves the old file or the new one, whole, at every step, and nothing that stops the next one', async () => {
    const { steps = 0 } = await change(prepared('whole'), 0)
    expect(steps).toBeGreaterThan(15)
    const found: string[] = []
    const one = async (at: number): Promise<void> => {
      const file = prepared('killed')
      expect(await change(file, at)).toEqual({})
      const kept: unknown = JSON.parse(readFileSync(file, 'utf8'))
      expect([before, after], `step ${at}`).toContainEqual(kept)
      found.push(JSON.stringify(kept))
      expect(statSync(file).mode & 0o777).toBe(0o600)
      const left = readdirSync(join(file, '..'))
      for (const name of left) expect(statSync(join(file, '..', name)).mode & 0o777, name).toBe(0o600)
      // Half a minute later the lock counts no more.
      for (const name of left.filter(name => name.includes('.lock'))) utimesSync(join(file, '..', name), 0, 0)
      await credentialFile(file).change('groq', credential => ({ ...credential, apiKey: 'next' }))
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ ...before, groq: { note: 'mine', apiKey: 'next' } })
      expect(readdirSync(join(file, '..'))).toEqual(['credentials.json'])
    }
    const deaths = Array.from({ length: steps }, (_, index) => index + 1)
    while (deaths.length > 0) await Promise.all(deaths.splice(0, 4).map(one))
    expect(new Set(found).size).toBe(2)
  })
})
