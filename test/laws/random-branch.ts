import type { Json } from '#kernel'
import type { Message, Part } from '#journal'
import fc from 'fast-check'

/** Models whose reasoning may stand on a branch, and what each proves its own with. */
export const makers = {
  anthropic: { model: 'anthropic/claude-sonnet-4-6', proof: { anthropic: { signature: 'sig' } } },
  openai: { model: 'openai/gpt-5.4', proof: { openai: { itemId: 'rs_1', reasoningEncryptedContent: 'enc' } } },
  google: { model: 'google/gemini-2.5-pro', proof: { google: { thoughtSignature: 'c2ln' } } },
} as const

const text = fc.constantFrom('hello', 'more', '', ' ', '\n', 'x\ud800', '\udc00y', '世界 😀')
const callId = fc.constantFrom(
  'a',
  'b',
  'c',
  'a-2',
  'functions.read:0',
  'é',
  'x\ud800',
  `${'x'.repeat(70)}`,
  `${'x'.repeat(70)}y`,
)
const tool = fc.constantFrom('read', 'write')
const json: fc.Arbitrary<Json> = fc.oneof(
  text,
  fc.constantFrom<Json>({}, null, [1, 'x\ud800'], { 'k\ud800': { deep: 'x\ud800' } }),
  fc.constant([{ type: 'text', text: ' ' }]),
)

const textPart = text.map((said): Part => ({ type: 'text', text: said }))
const file = fc
  .record({
    mediaType: fc.constantFrom('image/png', 'image/tiff', 'application/pdf', 'video/mp4', 'application/zip', 'audio/mpeg'),
    where: fc.constantFrom({ bytes: 3 }, { bytes: 0, url: 'https://files.test/a' }),
  })
  .map(({ mediaType, where }): Part => ({ type: 'file', mediaType, name: 'a\ud800', ...where }))
const reasoning = fc
  .record({
    said: text,
    proof: fc.constantFrom(...Object.values(makers).map(maker => maker.proof), undefined),
    signature: fc.constantFrom('s', undefined),
  })
  .map(({ said, proof, signature }): Part => ({
    type: 'reasoning',
    text: said,
    ...(proof === undefined ? {} : { providerData: proof }),
    ...(signature === undefined ? {} : { signature }),
  }))
const call = fc.record({ callId, tool, input: json }).map((given): Part => ({ type: 'tool_call', ...given }))
const result = fc
  .record({ callId, tool, output: json, status: fc.constantFrom('ok' as const, 'error' as const, 'denied' as const) })
  .map((given): Part => ({ type: 'tool_result', ...given }))
const other = fc
  .constantFrom<Part>(
    { type: 'source', url: 'https://a.test' },
    { type: 'custom', name: 'mine', data: 1 },
    { type: 'lost', blob: 'blb_x' as never },
  )
  .map((part): Part => ({ ...part }))

const message = (role: Message['role'], part: fc.Arbitrary<Part>, max = 4): fc.Arbitrary<Message> =>
  fc
    .record({
      parts: fc.array(part, { maxLength: max }),
      model: fc.constantFrom(...Object.values(makers).map(maker => maker.model), undefined),
    })
    .map(({ parts, model }) => ({ role, parts, ...(role === 'assistant' && model !== undefined ? { model } : {}) }))

/** An answer with calls and its results: some missing, twice, elsewhere, or apart. */
const step = fc
  .record({
    said: fc.array(fc.oneof(textPart, reasoning), { maxLength: 2 }),
    called: fc.array(call, { minLength: 1, maxLength: 3 }),
    order: fc.array(fc.nat(3), { maxLength: 4 }),
    apart: fc.boolean(),
    between: fc.option(message('user', textPart, 1), { nil: undefined, freq: 4 }),
    files: fc.array(file, { maxLength: 1 }),
  })
  .map(({ said, called, order, apart, between, files }): Message[] => {
    const given = order.flatMap((at): Part[][] => {
      const own = called[at]
      return own?.type === 'tool_call'
        ? [[{ type: 'tool_result', callId: own.callId, tool: own.tool, status: 'ok', output: 'done' }, ...files]]
        : []
    })
    const told: Message[] = apart ? given.map(parts => ({ role: 'tool', parts })) : [{ role: 'tool', parts: given.flat() }]
    return [{ role: 'assistant', parts: [...said, ...called] }, ...(between === undefined ? [] : [between]), ...told]
  })

const anything = fc.oneof(textPart, file, reasoning, call, result, other)

/** Any branch: also what no verb of Skein writes, cut off anywhere. */
export const randomBranch: fc.Arbitrary<Message[]> = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 3, arbitrary: message('user', fc.oneof(textPart, file)).map(one => [one]) },
        { weight: 3, arbitrary: message('assistant', fc.oneof(textPart, reasoning, call, file)).map(one => [one]) },
        { weight: 5, arbitrary: step },
        { weight: 1, arbitrary: message('system', textPart).map(one => [one]) },
        { weight: 1, arbitrary: message('tool', fc.oneof(result, file)).map(one => [one]) },
        {
          weight: 1,
          arbitrary: fc
            .constantFrom('user' as const, 'assistant' as const, 'tool' as const)
            .chain(role => message(role, anything))
            .map(one => [one]),
        },
      ),
      { maxLength: 8 },
    ),
    fc.nat(2),
    fc.nat(2),
  )
  .map(([steps, head, tail]) => {
    const all = steps.flat()
    return all.slice(head, Math.max(head, all.length - tail))
  })

/** Turns as a run of Skein writes them when nothing interrupts it, a steer behind results among them. */
export function soundTurns(family: keyof typeof makers): fc.Arbitrary<Message[]> {
  const { model, proof } = makers[family]
  const thought: Part = { type: 'reasoning', text: 'hm', providerData: proof }
  const turn = fc.record({
    steps: fc.array(fc.record({ calls: fc.integer({ min: 1, max: 3 }), steer: fc.boolean(), thinks: fc.boolean() }), {
      maxLength: 3,
    }),
    thinks: fc.boolean(),
  })
  return fc.array(turn, { minLength: 1, maxLength: 4 }).map(turns => {
    let made = 0
    return turns.flatMap(({ steps, thinks }): Message[] => [
      { role: 'user', parts: [{ type: 'text', text: 'ask' }] },
      ...steps.flatMap((one): Message[] => {
        const ids = Array.from({ length: one.calls }, () => `call_${made++}`)
        const called = ids.map((id): Part => ({ type: 'tool_call', callId: id, tool: 'read', input: {} }))
        const told = ids.map((id): Part => ({ type: 'tool_result', callId: id, tool: 'read', status: 'ok', output: 'done' }))
        return [
          { role: 'assistant', model, finishReason: 'tool_calls', parts: [...(one.thinks ? [thought] : []), ...called] },
          { role: 'tool', parts: told },
          ...(one.steer ? [{ role: 'user', parts: [{ type: 'text', text: 'rather so' }] } as const] : []),
        ]
      }),
      { role: 'assistant', model, finishReason: 'stop', parts: [...(thinks ? [thought] : []), { type: 'text', text: 'done' }] },
    ])
  })
}
