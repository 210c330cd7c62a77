import type { Part } from '#journal'
import { describe, expect, it } from 'vitest'
import { weightsCounter } from './count-tokens.ts'
import { markPart } from './markers.ts'

const options = { counter: weightsCounter, recall: true }
const ref = 'ent_01M7QK2BD058A23JW1B9SAR73X#0'
/** As it is read for a context: what it is made of, its content elsewhere. */
const outlined = {
  type: 'tool_result',
  callId: 'c',
  tool: 'read',
  status: 'ok',
  outline: '900 rows',
  bytes: 90_000,
} as unknown as Part

describe('marking a large result whose content is not at hand', () => {
  it('leaves it out by the weight that its outline had', () => {
    const marked = markPart(outlined, ref, { kind: 'pruned' }, options)
    expect(marked).toMatchObject({
      output: expect.stringMatching(/^\[tool result left out: read, \d+ tokens; session_expand ent_/),
    })
    expect(marked).not.toHaveProperty('outline')
  })

  it('cuts no further than to its outline', () => {
    const whole = markPart(outlined, ref, { kind: 'outline' }, options)
    expect(markPart(outlined, ref, { kind: 'cut', tokens: 1_000 }, options)).toEqual(whole)
  })
})
