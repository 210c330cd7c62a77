import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { inventedAnchors, type Proposal, rejectReason } from './reject.ts'

const known = 'We changed ./src/a.ts at https://a.b/c/ (commit 3F2A9BC1D4) in {"path":"C:\\\\dir\\\\x.ts"} for ent_01ABCDEF2345.'
const sound: Proposal = { text: 'Fine.', tokens: 2, renderedTokens: 80, targetTokens: 256, sourceTokens: 1_000, known }
const invented = (text: string): string[] => inventedAnchors(text, known).map(anchor => anchor.text)

describe('judging a proposal', () => {
  it('takes a sound one, up to the limits themselves', () => {
    expect(rejectReason(sound)).toBeUndefined()
    expect(rejectReason({ ...sound, tokens: 384, renderedTokens: 800 })).toBeUndefined()
  })

  verifies(
    'C52',
    'over one and a half times its target it is too long, over 80 % of the source no gain, without a word empty',
    () => {
      expect(rejectReason({ ...sound, tokens: 385 })).toBe('too_long')
      expect(rejectReason({ ...sound, renderedTokens: 801 })).toBe('no_gain')
      expect(rejectReason({ ...sound, text: ' \n- …' })).toBe('empty')
    },
  )

  verifies('C72', 'a path, URL, hash or id that no source has is invented', () => {
    expect(rejectReason({ ...sound, text: 'We changed src/b.ts.' })).toBe('invented_anchor')
    const names = [
      'src/a.js',
      'https://a.b/d',
      '3f2a9bc1ff',
      'ent_99ABCDEF2345',
      '/etc/made-up',
      '550e8400-e29b-41d4-a716-446655440000',
    ]
    expect(invented(names.join(' '))).toEqual(expect.arrayContaining(names))
  })

  verifies('C72', 'what a source has is not, in another spelling of the same or as a part', () => {
    expect(invented('src/a.ts:12, a.ts, https://a.b/c, 3f2a9bc, C:\\dir\\x.ts, ent_01ABCDEF2345')).toEqual([])
  })

  it('lets dates, amounts and versions be written anew', () => {
    expect(invented('On 2026-01-02 it took 30 ms with v1.2.3, see `new words` and #12.')).toEqual([])
  })
})
