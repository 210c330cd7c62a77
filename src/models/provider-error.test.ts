import { SkeinError } from '#kernel'
import { expect, it } from 'vitest'
import { providerError } from './provider-error.ts'

const place = { provider: 'anthropic', model: 'm', now: Date.parse('2026-11-01T00:00:00Z'), begun: false }
const api = (statusCode: number | undefined, message: string, more = {}) =>
  Object.assign(new Error(message), { statusCode, ...more })
const code = (thrown: unknown, begun = false) => providerError(thrown, { ...place, begun }).code

it.each([408, 429, 500, 502, 503, 504, 529])('%i is unavailable', status => {
  expect(providerError(api(status, 'no'), place)).toMatchObject({
    code: 'provider.unavailable',
    retryable: true,
    details: { status },
  })
})
it.each([400, 404, 409, 418, 422, 501])('%i is rejected', status => {
  expect(providerError(api(status, 'no'), place)).toMatchObject({ code: 'provider.rejected', retryable: false })
})
it.each([401, 403])('%i is a refused credential', status => {
  expect(code(api(status, 'no'))).toBe('auth.rejected')
})

it.each([
  'prompt is too long: 210000 tokens > 200000 maximum',
  "This model's maximum context length is 128000 tokens.",
  'Your input exceeds the context window of this model.',
  'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
  'input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000',
])('"%s" is an overflow', message => {
  expect(code(api(400, message))).toBe('provider.overflow')
  expect(code({ message, type: 'invalid_request_error' })).toBe('provider.overflow')
})
it('neither a rate limit on tokens nor a bad output limit is an overflow', () => {
  expect(code(api(429, 'Rate limit reached: too many input tokens per minute'))).toBe('provider.unavailable')
  expect(code(api(400, 'max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens'))).toBe(
    'provider.rejected',
  )
  expect(code(api(400, 'no', { data: { error: { code: 'context_length_exceeded', message: 'x' } } }))).toBe('provider.overflow')
})

it.each([
  [{ 'retry-after': '20' }, 20_000],
  [{ 'Retry-After': 'Sun, 01 Nov 2026 00:01:00 GMT' }, 60_000],
  [{ 'retry-after-ms': '1500', 'retry-after': '2' }, 1_500],
  [{ 'retry-after': 'Sat, 31 Oct 2026 00:00:00 GMT' }, 0],
])('reads Retry-After from %j', (responseHeaders, retryAfterMs) => {
  expect(providerError(api(429, 'slow', { responseHeaders }), place).details).toMatchObject({ retryAfterMs })
})
it.each([{}, { 'retry-after': 'soon' }, { 'retry-after': '-1' }])('%j says nothing of when', responseHeaders => {
  expect(providerError(api(429, 'slow', { responseHeaders }), place).details).not.toHaveProperty('retryAfterMs')
})

it('a lost connection is unavailable before the answer began and truncates it after', () => {
  const lost = new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) })
  expect(code(lost)).toBe('provider.unavailable')
  expect(code(lost, true)).toBe('provider.truncated')
  expect(code(new TypeError('terminated'), true)).toBe('provider.truncated')
})

it('an error frame inside a stream is judged by its status or type', () => {
  expect(code({ message: 'Overloaded', type: 'overloaded_error', data: {} }, true)).toBe('provider.unavailable')
  expect(code({ type: 'error', error: { type: 'api_error', message: 'Internal' } }, true)).toBe('provider.unavailable')
  expect(code({ message: 'No', type: 'invalid_request_error' }, true)).toBe('provider.rejected')
})

it('keeps no bodies and lets our own errors through', () => {
  const error = providerError(api(400, 'no', { requestBodyValues: { secret: 'prompt' }, responseBody: 'body' }), place)
  expect(JSON.stringify(error.details)).toBe('{"provider":"anthropic","model":"m","status":400}')
  expect(error.cause).toBeUndefined()
  const own = new SkeinError('model.script_ended', 'x')
  expect(providerError(own, place)).toBe(own)
})
