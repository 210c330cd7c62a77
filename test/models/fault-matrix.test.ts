import { createOpenAI } from '@ai-sdk/openai'
import { isType } from '#journal'
import { systemRandom, systemTimers } from '#kernel'
import { openSkein, type Session, type Skein } from '#skein'
import { afterAll, afterEach, describe, expect } from 'vitest'
import { verifies } from '#verifies'
import {
  anthropicError,
  anthropicFrames,
  chatError,
  chatFrames,
  type FaultAnswer,
  type FaultServer,
  faultServer,
  googleError,
  googleFrames,
  responsesError,
  responsesFrames,
  type Said,
  upTo,
} from './fault-server.ts'

/** One way to speak with a provider, and how it says what all of them say. */
interface Wire {
  readonly name: string
  readonly model: string | ((url: string) => unknown)
  frames(said: Said): string[]
  /** A prompt of 1,000 tokens, 600 of which came from the cache, and an answer of 20. */
  readonly cached: { readonly [field: string]: unknown }
  /** The prompt's usage stands at the beginning of an answer, so that a cut leaves it. */
  readonly tellsEarly: boolean
  readonly overloaded: string
  readonly refused: string
}

const chatUsage = {
  prompt_tokens: 1_000,
  completion_tokens: 20,
  total_tokens: 1_020,
  prompt_tokens_details: { cached_tokens: 600 },
}

const wires: readonly Wire[] = [
  {
    name: 'Anthropic',
    tellsEarly: true,
    model: 'sonnet',
    frames: anthropicFrames,
    cached: { input_tokens: 400, cache_read_input_tokens: 600, cache_creation_input_tokens: 0, output_tokens: 20 },
    overloaded: anthropicError('overloaded_error', 'Overloaded'),
    refused: anthropicError('invalid_request_error', 'This is not allowed.'),
  },
  {
    name: 'OpenAI Responses',
    tellsEarly: false,
    model: 'gpt5',
    frames: responsesFrames,
    cached: { input_tokens: 1_000, input_tokens_details: { cached_tokens: 600 }, output_tokens: 20, total_tokens: 1_020 },
    overloaded: responsesError('server_error', 'Overloaded'),
    refused: responsesError('invalid_prompt', 'This is not allowed.'),
  },
  {
    name: 'OpenAI Chat',
    tellsEarly: false,
    model: url => createOpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-oai' }).chat('gpt-5.4'),
    frames: chatFrames,
    cached: chatUsage,
    overloaded: chatError('server_error', 'Overloaded'),
    refused: chatError('invalid_request_error', 'This is not allowed.'),
  },
  {
    name: 'Google',
    tellsEarly: true,
    model: 'gemini-flash',
    frames: googleFrames,
    cached: { promptTokenCount: 1_000, cachedContentTokenCount: 600, candidatesTokenCount: 20, totalTokenCount: 1_020 },
    overloaded: googleError(503, 'UNAVAILABLE', 'Overloaded'),
    refused: googleError(400, 'INVALID_ARGUMENT', 'This is not allowed.'),
  },
  {
    name: 'OpenAI-compatible',
    tellsEarly: false,
    model: 'openai-compatible/llama',
    frames: chatFrames,
    cached: chatUsage,
    overloaded: chatError('server_error', 'Overloaded'),
    refused: chatError('invalid_request_error', 'This is not allowed.'),
  },
]

/** What a run over a fault has to come to. */
interface Cell {
  readonly answers: readonly FaultAnswer[]
  readonly status: 'done' | 'failed' | 'blocked' | 'cancelled'
  readonly reason: string
  readonly requests: number
  readonly text?: string
  /** Milliseconds that were waited between attempts. */
  readonly waits?: readonly number[]
  /** Of the attempts, in their order: how each ended. */
  readonly outcomes?: readonly string[]
  readonly act?: (place: Place) => Promise<void>
  readonly more?: (place: Place) => Promise<void>
}

interface Place {
  readonly session: Session
  readonly server: FaultServer
  readonly run: ReturnType<Session['send']>
  /** The provider has been silent for as long as one may be. */
  silence(): void
  readonly ran: readonly unknown[]
}

/** 1 s × 2ⁿ, and a tenth by chance. */
const backoff = [1_100, 2_200, 4_400]

async function seesText(run: Place['run']): Promise<void> {
  for await (const event of run) if (event.type === 'text_delta') return
}

const faults: Readonly<Record<string, (wire: Wire) => Cell>> = {
  none: ({ frames }) => ({
    answers: [{ frames: frames({ text: 'Hello there' }) }],
    status: 'done',
    reason: 'answered',
    requests: 1,
  }),
  'slow drip': ({ frames }) => ({
    answers: [{ frames: frames({ text: 'Grüße, 世界 🌍' }), drip: 3 }],
    status: 'done',
    reason: 'answered',
    requests: 1,
    text: 'Grüße, 世界 🌍',
  }),
  'cached prompt': ({ frames, cached }) => ({
    answers: [{ frames: frames({ text: 'Hello there', usage: cached }) }],
    status: 'done',
    reason: 'answered',
    requests: 1,
    more: async ({ run }) => {
      const { usage } = await run.result()
      expect(usage).toMatchObject({ inputTokens: 400, cacheReadTokens: 600, outputTokens: 20 })
    },
  }),
  'dropped before a word': ({ frames }) => ({
    answers: [{ drop: true }, { drop: true }, { frames: frames({ text: 'Hello there' }) }],
    status: 'done',
    reason: 'answered',
    requests: 3,
    waits: backoff.slice(0, 2),
    outcomes: ['provider.unavailable', 'provider.unavailable', 'stop'],
  }),
  'dropped for good': () => ({
    answers: [{ drop: true }],
    status: 'failed',
    reason: 'provider_error',
    requests: 4,
    waits: backoff,
  }),
  'cut in the text': ({ frames, tellsEarly }) => ({
    answers: [{ frames: upTo(frames({ text: 'Half lost' }), 'Half'), then: 'cut' }, { frames: frames({ text: 'Hello there' }) }],
    status: 'done',
    reason: 'answered',
    requests: 2,
    outcomes: ['provider.truncated', 'stop'],
    more: async place => {
      await neverSentAgain('Half')(place)
      const [first] = (await place.session.entries({ types: ['usage_recorded'] })).map(({ data }) => data)
      expect(first).toMatchObject({ usage: { inputTokens: tellsEarly ? 10 : null } })
    },
  }),
  'ended without a finish': ({ frames }) => ({
    answers: [{ frames: upTo(frames({ text: 'Half lost' }), 'Half') }, { frames: frames({ text: 'Hello there' }) }],
    status: 'done',
    reason: 'answered',
    requests: 2,
    outcomes: ['provider.truncated', 'stop'],
    more: neverSentAgain('Half'),
  }),
  'cut in the text, ever again': ({ frames }) => ({
    answers: [{ frames: upTo(frames({ text: 'Half lost' }), 'Half'), then: 'cut' }],
    status: 'failed',
    reason: 'truncated',
    requests: 3,
    outcomes: ['provider.truncated', 'provider.truncated', 'provider.truncated'],
  }),
  'cut behind a call': ({ frames }) => {
    const call = frames({ call: { id: 'c1', name: 'work', input: { n: 1 } } })
    return {
      // All but the end of the answer.
      answers: [{ frames: upTo(call, 'work'), then: 'cut' }, { frames: frames({ text: 'Hello there' }) }],
      status: 'done',
      reason: 'answered',
      requests: 2,
      more: async ({ ran }) => expect(ran).toEqual([]),
    }
  },
  'empty answer': ({ frames }) => ({
    answers: [{ frames: [] }, { frames: frames({ text: 'Hello there' }) }],
    status: 'done',
    reason: 'answered',
    requests: 2,
    outcomes: ['provider.truncated', 'stop'],
  }),
  'page of a proxy, 502': ({ frames }) => ({
    answers: [{ status: 502, page: '<html><h1>Bad gateway</h1></html>' }, { frames: frames({ text: 'Hello there' }) }],
    status: 'done',
    reason: 'answered',
    requests: 2,
    outcomes: ['provider.unavailable', 'stop'],
  }),
  'frame that is no JSON': ({ frames }) => {
    const said = upTo(frames({ text: 'Half lost' }), 'Half')
    return {
      answers: [{ frames: [...said, 'data: {"type": "broken\n\n'] }, { frames: frames({ text: 'Hello there' }) }],
      status: 'done',
      reason: 'answered',
      requests: 2,
      outcomes: ['provider.truncated', 'stop'],
    }
  },
  '429, Retry-After 3 s': ({ frames }) => ({
    answers: [{ status: 429, headers: { 'retry-after': '3' } }, { frames: frames({ text: 'Hello there' }) }],
    status: 'done',
    reason: 'answered',
    requests: 2,
    waits: [3_000],
  }),
  '429, Retry-After 60 s': () => ({
    answers: [{ status: 429, headers: { 'retry-after': '60' } }],
    status: 'failed',
    reason: 'provider_error',
    requests: 1,
    waits: [],
  }),
  '529, Retry-After a date': ({ frames }) => ({
    answers: [
      { status: 529, headers: { 'retry-after': new Date(now + 7_000).toUTCString() } },
      { frames: frames({ text: 'Hello there' }) },
    ],
    status: 'done',
    reason: 'answered',
    requests: 2,
    waits: [7_000],
  }),
  '529 for good': () => ({
    answers: [{ status: 529 }],
    status: 'failed',
    reason: 'provider_error',
    requests: 4,
    waits: backoff,
    outcomes: Array.from({ length: 4 }, () => 'provider.unavailable'),
  }),
  'overload in the stream': ({ frames, overloaded }) => ({
    answers: [
      { frames: [...upTo(frames({ text: 'Half lost' }), 'Half'), overloaded] },
      { frames: frames({ text: 'Hello there' }) },
    ],
    status: 'done',
    reason: 'answered',
    requests: 2,
    outcomes: ['provider.unavailable', 'stop'],
    more: neverSentAgain('Half'),
  }),
  'refusal in the stream': ({ frames, refused }) => ({
    answers: [{ frames: [...upTo(frames({ text: 'Half lost' }), 'Half'), refused] }],
    status: 'failed',
    reason: 'provider_error',
    requests: 1,
    outcomes: ['provider.rejected'],
  }),
  401: () => ({
    answers: [{ status: 401 }],
    status: 'failed',
    reason: 'auth_failed',
    requests: 1,
    outcomes: ['auth.rejected'],
  }),
  400: () => ({
    answers: [{ status: 400 }],
    status: 'failed',
    reason: 'provider_error',
    requests: 1,
    outcomes: ['provider.rejected'],
  }),
  'context too long': () => ({
    answers: [{ status: 400, body: { error: { type: 'invalid_request_error', message: 'prompt is too long: 9 > 8 maximum' } } }],
    status: 'blocked',
    reason: 'context_overflow',
    requests: 1,
    outcomes: ['provider.overflow'],
  }),
  silence: ({ frames }) => ({
    answers: [{ frames: upTo(frames({ text: 'Half lost' }), 'Half'), then: 'hang' }, { frames: frames({ text: 'Hello there' }) }],
    status: 'done',
    reason: 'answered',
    requests: 2,
    outcomes: ['provider.unavailable', 'stop'],
    act: async ({ run, silence, server }) => {
      await seesText(run)
      silence()
      await server.left
    },
  }),
  'cancel in the text': ({ frames }) => ({
    answers: [{ frames: upTo(frames({ text: 'Half kept' }), 'Half'), then: 'hang' }],
    status: 'cancelled',
    reason: 'user_cancelled',
    requests: 1,
    outcomes: ['aborted'],
    act: async ({ run, server }) => {
      await seesText(run)
      await run.cancel()
      await server.left
    },
    more: async ({ session }) => expect(JSON.stringify(await session.messages())).toContain('Half'),
  }),
}

function neverSentAgain(text: string): NonNullable<Cell['more']> {
  return async ({ server, session }) => {
    for (const { body } of server.requests) expect(JSON.stringify(body)).not.toContain(text)
    expect(JSON.stringify((await session.context()).messages)).not.toContain(text)
  }
}

const now = Date.UTC(2026, 9, 1)

/** Waits between attempts are over as soon as they begin; a silence is as long as the test says. */
function quickTimers() {
  const waits: number[] = []
  const silences = new Set<() => void>()
  return {
    waits,
    silence: () => silences.forEach(end => end()),
    after(ms: number, run: () => void) {
      if (ms === 300_000) {
        silences.add(run)
        return () => void silences.delete(run)
      }
      // Others of this length are leases.
      if (ms < 1_000 || ms > 30_000 || ms === 2_000 || ms === 5_000) return systemTimers.after(ms, run)
      waits.push(ms)
      const timer = setImmediate(run)
      return () => clearImmediate(timer)
    },
  }
}

const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
})

async function runCell({ model }: Wire, cell: Cell): Promise<string> {
  await using server = await faultServer(cell.answers)
  const timers = quickTimers()
  const skein = await openSkein({
    store: 'memory:',
    worker: false,
    timers,
    clock: { now: () => now },
    random: { ...systemRandom, number: () => 0.2 },
    env: {
      ANTHROPIC_API_KEY: 'sk-ant',
      ANTHROPIC_BASE_URL: `${server.url}/v1`,
      OPENAI_API_KEY: 'sk-oai',
      OPENAI_BASE_URL: `${server.url}/v1`,
      GOOGLE_API_KEY: 'sk-goo',
      GOOGLE_BASE_URL: `${server.url}/v1beta`,
      OPENAI_COMPATIBLE_BASE_URL: `${server.url}/v1`,
    },
  })
  opened.push(skein)
  const ran: unknown[] = []
  const work = { name: 'work', description: 'Works.', input: { type: 'object' }, run: (input: unknown) => void ran.push(input) }
  const chosen = typeof model === 'string' ? { model } : { modelOverride: model(server.url) as never }
  const session = await skein.sessions.create({ ...chosen, tools: [work] })
  const run = session.send('Hi')
  const place = { session, server, run, ran, silence: timers.silence }
  await cell.act?.(place)
  const result = await run.result()
  expect(result).toMatchObject({ status: cell.status, reason: cell.reason })
  if (cell.status === 'done') expect(result.text).toBe(cell.text ?? 'Hello there')
  expect(server.requests).toHaveLength(cell.requests)
  const waits = (await session.entries({ types: ['step_retried'] })).map(({ data }) => (data as { waitMs: number }).waitMs)
  expect(waits).toHaveLength(cell.status === 'cancelled' ? 0 : Math.max(0, cell.requests - 1))
  if (cell.waits !== undefined) {
    expect(waits).toEqual(cell.waits)
    expect(timers.waits).toEqual(expect.arrayContaining([...cell.waits]))
  }
  const used = (await session.entries({ types: ['usage_recorded'] })).flatMap(entry =>
    isType(entry, 'usage_recorded') ? [entry.data] : [],
  )
  // Each request counts once, and its own answer stands, or none.
  expect(new Set(used.map(({ requestId }) => requestId)).size).toBe(cell.requests)
  if (cell.outcomes !== undefined) expect(used.map(({ outcome }) => outcome)).toEqual(cell.outcomes)
  await cell.more?.(place)
  return `${result.status} ${cell.requests}×`
}

const matrix: Record<string, Record<string, string>> = Object.fromEntries(Object.keys(faults).map(fault => [fault, {}]))
afterAll(() => {
  console.table(matrix)
})

describe.each(wires)('$name', wire => {
  for (const [fault, cellOf] of Object.entries(faults))
    verifies('P25 P26 P28 P29', `over a socket with ${fault}: a run comes to the one end that it should`, async () => {
      const row = matrix[fault] ?? {}
      row[wire.name] = 'FAILED'
      row[wire.name] = await runCell(wire, cellOf(wire))
    })
})
