import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makePlace, type Place } from './command-line.ts'

let place: Place
beforeAll(() => {
  place = makePlace()
  writeFileSync(join(place.cwd, 'in.jsonl'), '{"n":1}\n\n{"n":"two"}\n{"n":3}\n')
  writeFileSync(join(place.cwd, 'schema.json'), '{"type":"integer"}')
})
afterAll(() => place.remove())

const ask = ['--prompt', '```\n{{item.n}}\n```', '--schema', 'schema.json', '--model', 'demo/echo', '--max-retries', '0']
interface Line {
  readonly index: number
  readonly output: unknown
  readonly errorKind: string | null
}
const linesOf = (stdout: string): Line[] =>
  stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Line)
    .sort((a, b) => a.index - b.index)
const expected = [
  [0, 1, null],
  [1, null, 'not_json'],
  [2, 3, null],
]
const told = (stdout: string) => linesOf(stdout).map(({ index, output, errorKind }) => [index, output, errorKind])

describe('skein map', () => {
  it('prints a result a line, says how it went, and exits 1 when one failed', async () => {
    const { code, stdout, stderr } = await place.here(['map', 'in.jsonl', ...ask])
    expect([code, told(stdout)]).toEqual([1, expected])
    expect(stderr).toContain('2 of 3 succeeded, 1 failed')
  })

  it('reads stdin, and shows a map again by its id', async () => {
    const first = await place.here(['map', '-', ...ask], { input: '{"n":7}\n' })
    expect([first.code, told(first.stdout)]).toEqual([0, [[0, 7, null]]])
    const map = /^map (map_\w+)$/m.exec(first.stderr)?.[1] ?? ''
    const again = await place.here(['map', '--resume', map])
    expect([again.code, told(again.stdout)]).toEqual([0, [[0, 7, null]]])
  })

  it('gives each line to an agent with --agentic', async () => {
    const { code, stdout } = await place.here([
      'map',
      'in.jsonl',
      '--agentic',
      '--prompt',
      'Say {{item.n}}',
      '--model',
      'demo/echo',
    ])
    expect([code, linesOf(stdout).map(({ output }) => output)]).toEqual([0, ['1', 'two', '3'].map(n => `You said: Say ${n}`)])
  })

  it('asks a server with --url', async () => {
    const server = place.start(['serve', '--port', '0'])
    const [url = ''] = await server.sees(/http:\/\/[\d.:]+/)
    const { code, stdout, stderr } = await place.here(['map', 'in.jsonl', ...ask, '--url', url])
    server.process.kill('SIGTERM')
    await server.ended
    expect(stderr).toContain('2 of 3 succeeded, 1 failed')
    expect([code, told(stdout)]).toEqual([1, expected])
  })

  it.each([
    [['map', 'none.jsonl', ...ask], 2, 'There is no such file'],
    [['map'], 2, 'Give a file of inputs, or --resume.'],
    [['map', 'in.jsonl', '--prompt', '{{item}}'], 2, 'schema: Expected'],
    [['map', 'in.jsonl', '--prompt', '{{item}}', '--schema', 'in.jsonl'], 2, '--schema: Expected a JSON Schema.'],
    [['map', '--resume', 'map_01HF7YAT000000000000000000'], 7, 'There is no map'],
  ])('%j exits %d and says why', async (args, exit, text) => {
    const { code, stderr } = await place.here(args)
    expect([code, stderr]).toEqual([exit, expect.stringContaining(text)])
  })
})
