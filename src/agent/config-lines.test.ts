import { describe, expect, it } from 'vitest'
import { lineOf, tomlLines } from './config-lines.ts'

const text = [
  'model = "a"',
  '',
  '[server] # where',
  'port = 1',
  '"quoted.key" = 2',
  'rate.burst = 3',
  '[[tokens]]',
  'x = """',
  'port = 9',
  '"""',
  'y = 1',
].join('\n')

describe('where keys stand', () => {
  const lines = tomlLines(text)

  it('is told for tables, dotted and quoted keys', () => {
    expect(
      ['model', 'server', 'server.port', 'server.rate', 'server.rate.burst', 'tokens', 'tokens.x', 'tokens.y'].map(key =>
        lines.get(key),
      ),
    ).toEqual([1, 3, 4, 6, 6, 7, 8, 11])
  })

  it('is not what a multi-line text says', () => {
    expect(lines.has('tokens.port')).toBe(false)
  })

  it('is the nearest table for what stands inside a value', () => {
    expect([lineOf(lines, 'server.port.deeper'), lineOf(lines, 'server.other'), lineOf(lines, 'unknown')]).toEqual([
      4,
      3,
      undefined,
    ])
  })
})
