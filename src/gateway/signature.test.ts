import { describe, expect, it } from 'vitest'
import { isSigned, signBody } from './signature.ts'

const now = 1_763_683_200_500
const secret = 'shared'
const body = '{"text":"hi"}'

describe('a signature', () => {
  const header = signBody(secret, body, now)

  it('holds for its body, secret and time, and up to five minutes on either side', () => {
    expect(header).toMatch(/^t=1763683200,v1=[0-9a-f]{64}$/)
    for (const at of [now, now - 300_500, now + 299_500]) expect(isSigned(header, body, secret, at)).toBe(true)
    for (const at of [now - 300_501, now + 299_501]) expect(isSigned(header, body, secret, at)).toBe(false)
  })

  it('may be one of several, while a secret is changed', () => {
    const other = signBody('next', body, now).replace(/^t=\d+,/, '')
    expect(isSigned(`${header},${other}`, body, 'next', now)).toBe(true)
  })

  it.each([
    ['another body', header, '{}', secret],
    ['another secret', header, body, 'other'],
    ['no header', undefined, body, secret],
    ['no time', header.replace(/^t=\d+,/, ''), body, secret],
    ['two times', `t=1763683200,${header}`, body, secret],
    ['another time', header.replace('t=1763683200', 't=1763683201'), body, secret],
    ['a time that is none', header.replace('t=1763683200', 't=1e9'), body, secret],
    ['half a digest', header.slice(0, -32), body, secret],
  ])('does not hold with %s', (_what, given, said, key) => expect(isSigned(given, said, key, now)).toBe(false))
})
