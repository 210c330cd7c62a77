import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { readCredentialText } from './credential-text.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const read = (text: string) => readCredentialText(bytes(text), 'c.json')

verifies('P13', 'what Skein does not know stays in its place, numbers to the last digit', () => {
  const text = `{
    "version": 12345678901234567890, "__proto__": { "a": 1.0 },
    "openai": { "note": "mine", "apiKey": "old", "oauth": { "accessToken": "a", "refreshToken": "r", "expiresAt": 5, "scope": [1e400] } },
    "house": "not a credential"
  }`
  const oauth = { accessToken: 'a2', refreshToken: 'r2', expiresAt: 6 }
  expect(read(text).with('openai', { apiKey: 'new', oauth }).replaceAll(/\s/g, '')).toBe(
    '{"version":12345678901234567890,"__proto__":{"a":1.0},' +
      '"openai":{"note":"mine","apiKey":"new","oauth":{"accessToken":"a2","refreshToken":"r2","expiresAt":6,"scope":[1e400]}},' +
      '"house":"notacredential"}',
  )
  expect(read(text).with('openai', null)).toContain('"note": "mine"')
  expect(read(text).with('openai', null)).not.toContain('apiKey')
})

it('a provider is found whatever its case, added at the end, and gone when nothing of it is left', () => {
  expect(read('{"OpenAI":{"apiKey":"k"}}').get('openai')).toEqual({ apiKey: 'k' })
  expect(JSON.parse(read('{"OpenAI":{"apiKey":"k"}}').with('openai', { apiKey: 'l' }))).toEqual({ OpenAI: { apiKey: 'l' } })
  expect(JSON.parse(read('{"a":1}').with('groq', { apiKey: 'k' }))).toEqual({ a: 1, groq: { apiKey: 'k' } })
  expect(JSON.parse(read('{"groq":{"apiKey":"k"}}').with('groq', null))).toEqual({})
  expect(readCredentialText(undefined, 'c.json').get('groq')).toBeUndefined()
  expect(read('\uFEFF{"groq":{"apiKey":"k"}}').get('groq')).toEqual({ apiKey: 'k' })
})

verifies('P14', 'what is no JSON object in UTF-8 is corrupt, and so is a credential of another shape', () => {
  const corrupt = expect.objectContaining({ code: 'auth.store_corrupt', details: { file: 'c.json' } })
  for (const text of ['', ' ', '{', '[]', 'null', '"k"', '{"groq":{"apiKey":"k"}']) expect(() => read(text)).toThrow(corrupt)
  expect(() => readCredentialText(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'c.json')).toThrow(corrupt)
  for (const member of [
    '"k"',
    'null',
    '{"apiKey":1}',
    '{"oauth":{"accessToken":"a"}}',
    '{"oauth":{"accessToken":"a","refreshToken":"r","expiresAt":"soon"}}',
    '{"fields":{"a":1}}',
  ]) {
    expect(() => read(`{"groq":${member}}`).get('groq')).toThrow(corrupt)
    expect(() => read(`{"groq":${member}}`).with('groq', { apiKey: 'k' })).toThrow(corrupt)
    expect(read(`{"groq":${member},"zai":{"apiKey":"k"}}`).get('zai')).toEqual({ apiKey: 'k' })
  }
})
