import type { ToolResultPart } from '#journal'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import type { ModelRequest, RequestMessage } from './port.ts'
import { sdkOptions } from './sdk-options.ts'
import { sdkPrompt } from './sdk-prompt.ts'

const user = (text: string): RequestMessage => ({ role: 'user', parts: [{ type: 'text', text }] })
const result = (more: Partial<ToolResultPart>): RequestMessage => ({
  role: 'tool',
  parts: [{ type: 'tool_result', callId: 'c', tool: 'read', status: 'ok', output: 'text', ...more }],
})
const outputOf = (message: RequestMessage): unknown => {
  const [first] = sdkPrompt([message], 'v4')[0]?.content ?? []
  return typeof first === 'object' ? first['output'] : undefined
}

describe('messages as a prompt', () => {
  it('hand a file behind a result on inside it, as each version says it', () => {
    const file = { type: 'file', mediaType: 'image/png', name: 'a.png', bytes: 3, data: new Uint8Array([1, 2, 3]) } as const
    const [told] = result({}).parts
    const message = { role: 'tool', parts: told === undefined ? [] : [told, file] } as const
    const valueOf = (version: 'v2' | 'v3' | 'v4') => {
      const [first] = sdkPrompt([message], version)[0]?.content ?? []
      return typeof first === 'object' ? first['output'] : undefined
    }
    const text = { type: 'text', text: 'text' }
    const value = (shown: object) => ({ type: 'content', value: [text, shown] })
    const inV4 = { type: 'file', mediaType: 'image/png', filename: 'a.png', data: { type: 'data', data: file.data } }
    expect(valueOf('v4')).toEqual(value(inV4))
    expect(valueOf('v3')).toEqual(value({ type: 'file-data', data: 'AQID', mediaType: 'image/png', filename: 'a.png' }))
    expect(valueOf('v2')).toEqual(value({ type: 'media', data: 'AQID', mediaType: 'image/png' }))
    // Where results are one text, in the user's name: behind all results, before what the user says.
    const apart = sdkPrompt([message, result({ callId: 'd' }), user('and?')], 'v4', { filesInResults: false })
    expect(apart.map(({ role }) => role)).toEqual(['tool', 'tool', 'user'])
    expect(apart[2]?.content).toEqual([inV4, { type: 'text', text: 'and?' }])
  })

  it.each([
    [{ output: 'text' }, { type: 'text', value: 'text' }],
    [{ output: { a: 1 } }, { type: 'json', value: { a: 1 } }],
    [
      { status: 'error', output: 'no' },
      { type: 'error-text', value: 'no' },
    ],
    [
      { status: 'error', output: { a: 1 } },
      { type: 'error-json', value: { a: 1 } },
    ],
    [
      { status: 'denied', output: 'not allowed' },
      { type: 'error-text', value: 'not allowed' },
    ],
    [
      { status: 'skipped', output: { a: 1 } },
      { type: 'error-text', value: '{"a":1}' },
    ],
    [
      { status: 'interrupted', output: 'gone' },
      { type: 'error-text', value: 'gone' },
    ],
  ] as const)('a result %j is %j', (part, output) => {
    expect(outputOf(result(part))).toEqual(output)
  })

  it('a file has its bytes, or its address, as each version wants them', () => {
    const data = new Uint8Array([1])
    const file = { type: 'file', mediaType: 'image/png', name: 'a.png', bytes: 1 } as const
    const sent = (part: RequestMessage['parts'][number], version: 'v2' | 'v3' | 'v4') =>
      sdkPrompt([{ role: 'user', parts: [part] }], version)[0]?.content[0]
    for (const version of ['v2', 'v3'] as const)
      expect(sent({ ...file, data }, version)).toMatchObject({ type: 'file', data, filename: 'a.png' })
    expect(sent({ ...file, data }, 'v4')).toMatchObject({ data: { type: 'data', data } })
    expect(sent({ ...file, url: 'https://x/a.png' }, 'v4')).toMatchObject({
      data: { type: 'url', url: new URL('https://x/a.png') },
    })
    expect(sent(file, 'v4')).toEqual({ type: 'text', text: '[file not available: a.png]' })
  })

  it('texts are made well-formed, opaque data is not touched', () => {
    const broken = 'a\ud800b'
    const [first] = sdkPrompt(
      [{ role: 'user', parts: [{ type: 'text', text: broken, providerData: { x: { y: broken } } }] }],
      'v4',
    )
    expect(first?.content).toEqual([{ type: 'text', text: 'a\ufffdb', providerOptions: { x: { y: broken } } }])
    expect(outputOf(result({ output: { [broken]: [broken] } }))).toEqual({ type: 'json', value: { 'a\ufffdb': ['a\ufffdb'] } })
  })

  it('imported reasoning gives its signature back', () => {
    const message: RequestMessage = {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'hm', signature: 'sig' },
        { type: 'reasoning', text: '', redacted: 'blob' },
      ],
    }
    expect(sdkPrompt([message], 'v4')[0]?.content).toMatchObject([
      { providerOptions: { anthropic: { signature: 'sig' } } },
      { providerOptions: { anthropic: { redactedData: 'blob' } } },
    ])
  })

  it('a call whose input is no object is shown inside one', () => {
    const message: RequestMessage = {
      role: 'assistant',
      parts: [{ type: 'tool_call', callId: 'c', tool: 't', input: '{broken' }],
    }
    expect(sdkPrompt([message], 'v4')[0]?.content).toMatchObject([{ input: { input: '{broken' } }])
  })

  it('messages with nothing to send are left out', () => {
    expect(sdkPrompt([{ role: 'assistant', parts: [{ type: 'source', url: 'https://x' }] }, user('a')], 'v4')).toHaveLength(1)
  })
})

const target = {
  provider: 'anthropic.messages',
  modelId: 'm',
  version: 'v4',
  info: { capabilities: { reasoning: true } },
} as const
const request: ModelRequest = {
  system: 'Be kind.',
  messages: [user('one'), result({}), user('two')],
  tools: ['a', 'b'].map(name => ({ name, description: name, inputSchema: { type: 'object' } })),
}

verifies('P30', 'a longer conversation begins with the shorter one, system and tools included', () => {
  const all = [
    user('one'),
    { role: 'assistant', parts: [{ type: 'text', text: 'yes' }] } as RequestMessage,
    result({}),
    user('two'),
  ]
  const sent = all.map((_, index) => sdkOptions({ ...request, messages: all.slice(0, index + 1) }, target))
  for (const [index, { prompt, tools }] of sent.entries()) {
    const next = sent[index + 1]
    if (next === undefined) continue
    expect(JSON.stringify((next['prompt'] as unknown[]).slice(0, (prompt as unknown[]).length))).toBe(JSON.stringify(prompt))
    expect(next['tools']).toEqual(tools)
  }
})

describe('options of a request', () => {
  const marksOf = (more: Partial<ModelRequest>, provider = 'anthropic.messages') => {
    const { prompt, tools } = sdkOptions({ ...request, ...more }, { ...target, provider })
    return [...(tools as object[]), ...(prompt as object[])].map(item => 'providerOptions' in item)
  }
  it('mark the cache at tools, system, end of prefill and last message, for Anthropic only', () => {
    expect(marksOf({ cache: { ttl: '5m', prefill: 1 } })).toEqual([false, true, true, true, false, true])
    expect(marksOf({ cache: { ttl: '5m' } })).toEqual([false, true, true, false, false, true])
    expect(marksOf({})).toEqual([false, false, false, false, false, false])
    expect(marksOf({ cache: { ttl: '1h' } }, 'openai.responses')).toEqual([false, false, false, false, false, false])
  })
  it('ask for the lifetime that was asked for', () => {
    const { tools } = sdkOptions({ ...request, cache: { ttl: '1h' } }, target)
    expect((tools as unknown[]).at(-1)).toMatchObject({
      providerOptions: { anthropic: { cacheControl: { type: 'ephemeral', ttl: '1h' } } },
    })
  })

  const thinking = (level: ModelRequest['thinking'], provider: string, more: Partial<ModelRequest> = {}, info = {}) =>
    sdkOptions(
      { ...request, ...more, ...(level === undefined ? {} : { thinking: level }) },
      { ...target, provider, version: 'v3', info: { ...target.info, maxOutput: 64_000, ...info } },
    )
  it('give older Anthropic objects a budget, and room for the answer beside it', () => {
    const budget = (budgetTokens: number) => ({ anthropic: { thinking: { type: 'enabled', budgetTokens } } })
    expect(thinking('minimal', 'anthropic.messages')).toMatchObject({ providerOptions: budget(1_024), maxOutputTokens: 1_024 })
    expect(thinking('high', 'anthropic.messages', { maxTokens: 40_000 })).toMatchObject({
      providerOptions: budget(32_000),
      maxOutputTokens: 8_000,
    })
    expect(thinking('xhigh', 'anthropic.messages')).toMatchObject({ providerOptions: budget(62_976), maxOutputTokens: 1_024 })
    expect(thinking('off', 'anthropic.messages')).toMatchObject({
      providerOptions: { anthropic: { thinking: { type: 'disabled' } } },
    })
  })
  it('give older OpenAI and Google objects their own words', () => {
    expect(thinking('xhigh', 'openai.responses')['providerOptions']).toEqual({
      openai: { store: false, reasoningEffort: 'high' },
    })
    expect(thinking('low', 'google.generative-ai')['providerOptions']).toEqual({
      google: { thinkingConfig: { thinkingBudget: 4_096, includeThoughts: true } },
    })
    expect(thinking('off', 'google.generative-ai')['providerOptions']).toEqual({
      google: { thinkingConfig: { thinkingBudget: 0, includeThoughts: false } },
    })
  })
  it.each([
    ['minimal', 1_024, 'low', 1_024, 1_024],
    ['low', 4_096, 'low', 4_096, 4_096],
    ['medium', 10_000, 'medium', 10_000, 10_000],
    ['high', 32_000, 'high', 24_576, 24_576],
    ['xhigh', 100_000, 'high', 24_576, 32_768],
  ] as const)('think %s as each provider calls it', (level, anthropic, openai, flash, pro) => {
    const optionsOf = (provider: string, modelId = 'm') =>
      sdkOptions(
        { ...request, thinking: level },
        { ...target, provider, modelId, version: 'v3', info: { ...target.info, maxOutput: 128_000 } },
      )
    expect(optionsOf('anthropic.messages')).toMatchObject({
      providerOptions: { anthropic: { thinking: { budgetTokens: anthropic } } },
      maxOutputTokens: 1_024,
    })
    expect(optionsOf('openai.responses')).toMatchObject({ providerOptions: { openai: { reasoningEffort: openai } } })
    for (const [modelId, thinkingBudget] of [
      ['gemini-2.5-flash', flash],
      ['gemini-2.5-pro', pro],
    ] as const)
      // prettier-ignore
      expect(optionsOf('google.generative-ai', modelId)).toMatchObject({
        providerOptions: { google: { thinkingConfig: { thinkingBudget } } },
      })
    expect(sdkOptions({ ...request, thinking: level }, { ...target, version: 'v4' })).toMatchObject({ reasoning: level })
  })
  it("let the caller's provider options win", () => {
    const providerOptions = { openai: { store: true, user: 'u' } }
    expect(thinking('low', 'openai.responses', { providerOptions })['providerOptions']).toEqual({
      openai: { store: true, user: 'u', reasoningEffort: 'low' },
    })
  })
  it('offer no tools to a model that is known to take none', () => {
    expect(sdkOptions(request, { ...target, info: { capabilities: { tools: false } } })).not.toHaveProperty('tools')
    expect(sdkOptions(request, { ...target, info: {} })).toHaveProperty('tools')
  })
  it('say nothing of thinking to a model that is not known to reason', () => {
    expect(sdkOptions({ ...request, thinking: 'high' }, { ...target, info: {} })).not.toHaveProperty('reasoning')
  })
})
