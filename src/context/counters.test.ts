import { verifies } from '#verifies'
import fc from 'fast-check'
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, it } from 'vitest'
import { weightsCounter } from './count-tokens.ts'
import { loadCounter } from './counters.ts'

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('<|endoftext|>', '\ud800', '\udc00', '<|im_start|>', 'word ', '你', '😀', '\0'))
    .map(all => all.join('')),
)

describe('counters', () => {
  verifies('C1', 'count what the default is defined to', () => {
    const counts = { '': 0, 'hello world': 3, '1234': 2, 你好世界: 4, '😀': 2 }
    for (const [text, tokens] of Object.entries(counts)) expect(weightsCounter.count(text)).toBe(tokens)
  })

  verifies('C2', 'never go down as text is appended, by the default', () => {
    fc.assert(
      fc.property(anyText, anyText, (text, more) => {
        expect(weightsCounter.count(text + more)).toBeGreaterThanOrEqual(weightsCounter.count(text))
      }),
    )
  })

  verifies('C2', 'never throw: on lone surrogates, names of special tokens, or when one of the caller’s own fails', async () => {
    const failing = await loadCounter({
      id: 'mine',
      count: () => {
        throw new Error('no table')
      },
    })
    const lost = await loadCounter({ id: 'lost', count: () => NaN })
    const all = [await loadCounter('weights/1'), await loadCounter('o200k'), failing, lost]
    expect(all.map(counter => counter.id)).toEqual(['weights/1', 'o200k', 'mine', 'lost'])
    fc.assert(
      fc.property(anyText, text => {
        for (const counter of all) {
          const counted = counter.count(text)
          expect(Number.isSafeInteger(counted) && counted >= 0).toBe(true)
        }
      }),
    )
    expect(failing.count('1234')).toBe(2)
  })

  it('count by the table of o200k, special names as text', async () => {
    const o200k = await loadCounter('o200k')
    expect(o200k.count('hello world')).toBe(2)
    expect(o200k.count('<|endoftext|>')).toBeGreaterThan(1)
    expect(await loadCounter('o200k')).toBe(o200k)
  })

  it('count long texts piece by piece, about as one', async () => {
    const o200k = await loadCounter('o200k')
    const sentence = 'The quick brown fox jumps over the lazy dog. '
    const whole = countTokens(sentence.repeat(1_000))
    expect(Math.abs(o200k.count(sentence.repeat(1_000)) - whole)).toBeLessThan(whole / 100)
    expect(o200k.count('a'.repeat(100_000))).toBeGreaterThan(1_000)
  })

  it('say how to install what is missing, and look again next time', async () => {
    // A copy of the module, which has loaded nothing yet.
    const fresh = (await import(`./counters.ts?${'fresh'}`)) as typeof import('./counters.ts')
    const missing = (): Promise<never> => Promise.reject(new Error('Cannot find package'))
    await expect(fresh.loadCounter('o200k', missing)).rejects.toMatchObject({
      code: 'config.invalid',
      message: expect.stringContaining('npm install gpt-tokenizer@') as string,
      details: { key: 'context.counter' },
    })
    expect((await fresh.loadCounter('o200k')).id).toBe('o200k')
  })
})
