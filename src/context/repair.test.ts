import type { Json } from '#kernel'
import type { Message, Part } from '#journal'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { type Family, familyOf, type RepairRule, repairTable } from './families.ts'
import { repair, type RepairInput, type RepairOptions } from './repair.ts'

const families = ['anthropic', 'openai', 'google'] as const satisfies Family[]
const sonnet = 'anthropic/claude-sonnet-4-6'
const words = (role: Message['role'], text: string): Message => ({ role, parts: [{ type: 'text', text }] })
const call = (callId: string, tool = 't'): Part => ({ type: 'tool_call', callId, tool, input: {} })
const result = (callId: string, output: Json = callId, tool = 't'): Part => ({
  type: 'tool_result',
  callId,
  tool,
  status: 'ok',
  output,
})
const calls = (...ids: string[]): Message => ({ role: 'assistant', parts: ids.map(id => call(id)) })
const results = (...ids: string[]): Message => ({ role: 'tool', parts: ids.map(id => result(id)) })
const stored = (messages: readonly Message[]): RepairInput[] => messages.map((message, n) => ({ ...message, ref: `ent_${n}` }))
const shape = ({ role, parts }: Message): string =>
  [role, ...parts.map(part => ('callId' in part ? `${part.type} ${part.callId}` : 'text' in part ? part.text : part.type))].join(
    ': ',
  )
const shapes = (messages: readonly Message[], options: RepairOptions): string[] => repair(messages, options).messages.map(shape)
const rules = (messages: readonly RepairInput[], options: RepairOptions): string[] =>
  repair(messages, options).repairs.map(done => `${done.rule} ${done.ref}`)

describe('repairing', () => {
  it('knows whose rules a provider follows, and takes Anthropic’s for one that it does not know', () => {
    const told = ['anthropic', 'google', 'google.generative-ai', 'OpenAI', 'moonshot', 'elsewhere', 'constructor', undefined]
    expect(told.map(familyOf)).toEqual([
      'anthropic',
      'google',
      'google',
      'openai',
      'openai',
      'anthropic',
      'anthropic',
      'anthropic',
    ])
  })

  it('leaves a sound conversation as it is, object by object', () => {
    const all = stored([words('user', 'a'), calls('1', '2'), results('1', '2'), words('assistant', 'b'), words('user', 'c')])
    for (const family of families) {
      const { messages, repairs } = repair(all, { family })
      expect(messages).toHaveLength(all.length)
      expect(messages.every((message, at) => message === all[at])).toBe(true)
      expect(repairs).toEqual([])
    }
  })

  it('leaves untouched messages as they are beside one that was not sound', () => {
    const all = stored([words('user', 'a'), calls('1'), results('1'), words('assistant', 'x\ud800'), words('user', 'c')])
    const { messages } = repair(all, { family: 'openai' })
    expect(messages.map((message, at) => message === all[at])).toEqual([true, true, true, false, true])
  })

  it('takes the results of parallel calls also from messages of their own', () => {
    const all = [words('user', 'a'), calls('1', '2'), results('1'), results('2')]
    expect(repair(all, { family: 'openai' })).toMatchObject({ messages: all, repairs: [] })
    expect(shapes(all, { family: 'google' })[2]).toBe('tool: tool_result 1: tool_result 2')
  })
})

describe('results', () => {
  verifies('C34', 'a dangling call gets one error result, right after it; a real result elsewhere is moved instead', () => {
    const dangling = stored([words('user', 'a'), calls('1'), words('user', 'b')])
    const late = stored([words('user', 'a'), calls('1'), words('user', 'b'), results('1')])
    const early = stored([words('user', 'a'), results('1'), words('user', 'b'), calls('1')])
    for (const family of families) {
      const { messages, repairs } = repair(dangling, { family })
      expect(messages[2]).toEqual({
        role: 'tool',
        parts: [
          { type: 'tool_result', callId: '1', tool: 't', status: 'interrupted', output: '[no result: the call was interrupted]' },
        ],
      })
      expect(messages.flatMap(({ parts }) => parts).filter(part => part.type === 'tool_result')).toHaveLength(1)
      expect(repairs).toContainEqual({ rule: 'result_missing', ref: 'ent_1#0', detail: 'no result of call 1' })
      expect(repair(late, { family }).messages[2]).toBe(late[3])
      expect(rules(late, { family })).toContain('result_misplaced ent_3#0')
      expect(repair(early, { family }).messages.at(-1)).toBe(early[1])
      expect(rules(early, { family })).toContain('result_misplaced ent_1#0')
    }
  })

  it('stand in the order of the calls, each with its files', () => {
    const file: Part = { type: 'file', mediaType: 'image/png', bytes: 3 }
    const all = [calls('1', '2'), { role: 'tool', parts: [result('2'), file, result('1')] } satisfies Message]
    expect(shapes(all, { family: 'openai' })[1]).toBe('tool: tool_result 1: tool_result 2: file')
  })

  verifies('C35', 'an orphan or second result is left out and reported', () => {
    const all = stored([words('user', 'a'), results('9'), calls('1'), results('1', '1'), words('user', 'b')])
    for (const family of families) {
      const { messages, repairs } = repair(all, { family })
      const shown = messages.flatMap(({ parts }) => parts).filter(part => part.type === 'tool_result')
      expect(shown).toEqual([all[3]?.parts[0]])
      expect(repairs).toContainEqual({ rule: 'result_duplicate', ref: 'ent_3#1', detail: 'another result of call 1' })
      expect(repairs).toContainEqual({ rule: 'result_orphan', ref: 'ent_1#0', detail: 'a result of call 9, which is not there' })
    }
  })

  it('of a repeated id belong to the newest call before them', () => {
    const all = [calls('1'), words('user', 'a'), calls('1'), { role: 'tool', parts: [result('1', 'second')] } satisfies Message]
    const outputs = repair(all, { family: 'openai' }).messages.flatMap(({ parts }) =>
      parts.flatMap(part => (part.type === 'tool_result' ? [part.output] : [])),
    )
    expect(outputs).toEqual(['[no result: the call was interrupted]', 'second'])
  })

  it('in a user message go behind their call, and the rest of the message stays', () => {
    const all: Message[] = [calls('1'), { role: 'user', parts: [{ type: 'text', text: 'b' }, result('1')] }]
    expect(shapes(all, { family: 'openai' })).toEqual(['assistant: tool_call 1', 'tool: tool_result 1', 'user: b'])
  })
})

describe('call ids', () => {
  verifies('C36', 'the same id in two turns gives distinct ones, each equal to its result’s, the same ones every time', () => {
    const turn = [words('user', 'a'), calls('1'), results('1')]
    const all = [...turn, ...turn, ...turn]
    for (const family of families) {
      const { messages } = repair(all, { family })
      const ids = (type: Part['type']): string[] =>
        messages.flatMap(({ parts }) => parts.flatMap(part => ('callId' in part && part.type === type ? [part.callId] : [])))
      expect(ids('tool_call')).toEqual(['1', '1-2', '1-3'])
      expect(ids('tool_result')).toEqual(ids('tool_call'))
      // More history changes no earlier name, not even when it uses one of them.
      expect(repair([...all, calls('1-2', 'x'), results('1-2', 'x')], { family }).messages.slice(0, all.length)).toEqual(messages)
    }
  })

  it('that a provider would refuse become ones that it takes, with no two alike', () => {
    const odd = [
      'functions.read:0',
      'functions_read_0',
      'functions.read:0',
      'é',
      '',
      `${'x'.repeat(64)}y`,
      `${'x'.repeat(64)}z`,
      'a\ud800',
    ]
    const { messages, repairs } = repair([calls(...odd), results(...odd)], { family: 'openai' })
    const ids = (message: Message | undefined): string[] =>
      message?.parts.map(part => ('callId' in part ? part.callId : '')) ?? []
    expect(ids(messages[0])).toEqual(ids(messages[1]))
    expect(new Set(ids(messages[0])).size).toBe(odd.length)
    for (const id of ids(messages[0])) expect(id).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
    expect(repairs.map(({ rule }) => rule).filter(rule => rule === 'call_id_reused')).toHaveLength(1)
    expect(repairs.every(({ detail }) => detail.isWellFormed())).toBe(true)
  })
})

describe('roles', () => {
  const all = stored([
    words('system', 's'),
    words('user', 'a'),
    words('assistant', 'b'),
    words('assistant', 'c'),
    words('user', 'd'),
    words('user', 'e'),
  ])

  verifies('C37', 'joining neighbours keeps all their parts in order', () => {
    const expected = ['user: s: a', 'assistant: b: c', 'user: d: e']
    for (const family of ['anthropic', 'google'] as const) {
      const { messages, repairs } = repair(all, { family })
      expect(messages.map(shape)).toEqual(expected)
      expect(messages.flatMap(({ parts }) => parts)).toEqual(all.flatMap(({ parts }) => parts))
      expect(repairs.map(({ rule, ref: at }) => `${rule} ${at}`)).toEqual([
        'system_inside ent_0',
        'roles_adjacent ent_1',
        'roles_adjacent ent_3',
        'roles_adjacent ent_5',
      ])
    }
    expect(repair(all, { family: 'openai' })).toMatchObject({ messages: all, repairs: [] })
  })

  it('of a user behind results are one turn with them where results are the user’s, and the text stays apart', () => {
    const steered = stored([words('user', 'a'), calls('1'), results('1'), words('user', 'b'), words('user', 'c')])
    const { messages } = repair(steered, { family: 'anthropic' })
    expect(messages.map(shape)).toEqual(['user: a', 'assistant: tool_call 1', 'tool: tool_result 1', 'user: b: c'])
    expect(messages[3]?.providerData).toEqual({ 'anthropic-messages': { joined: true } })
    expect(rules(steered, { family: 'anthropic' })).toEqual(['roles_adjacent ent_4', 'roles_adjacent ent_3'])
    expect(rules(steered, { family: 'google' })).toEqual(['roles_adjacent ent_4'])
  })

  it('begin with a user, where a conversation lost its beginning', () => {
    for (const family of ['anthropic', 'google'] as const) {
      expect(shapes([words('assistant', 'a')], { family })).toEqual(['user: [session continues]', 'assistant: a'])
      expect(repair([], { family })).toMatchObject({ messages: [], repairs: [] })
    }
    expect(shapes([words('assistant', 'a')], { family: 'openai' })).toEqual(['assistant: a'])
  })
})

describe('parts', () => {
  const thought: Part = { type: 'reasoning', text: 'hm', providerData: { anthropic: { signature: 'sig' } } }
  const answer: Message = { role: 'assistant', model: sonnet, parts: [thought, { type: 'text', text: 'b' }] }
  const said = [words('user', 'a'), answer]

  verifies('C38', 'reasoning of another model is left out, and shown again after switching back', () => {
    const other = { family: 'anthropic', model: 'anthropic/claude-opus-4-6' } as const
    expect(shapes(said, other)).toEqual(['user: a', 'assistant: b'])
    expect(rules(stored(said), other)).toEqual(['reasoning_foreign ent_1#0'])
    expect(shapes(said, { family: 'google', model: 'google/gemini-2.5-pro' })).toEqual(['user: a', 'assistant: b'])
    expect(repair(said, { family: 'anthropic', model: sonnet })).toMatchObject({ messages: said, repairs: [] })
  })

  it.each([
    ['anthropic', sonnet, sonnet, {}, false],
    ['anthropic', sonnet, sonnet, { signature: 's' }, true],
    ['anthropic', undefined, sonnet, { redacted: 'r' }, true],
    ['anthropic', 'claude-sonnet-4-6', sonnet, { signature: 's' }, true],
    ['anthropic', undefined, sonnet, { redacted: 'r', providerData: { 'openai-responses': { item: {} } } }, false],
    ['anthropic', undefined, sonnet, { providerData: { google: { thoughtSignature: 's' } } }, false],
    ['openai', 'deepseek/deepseek-reasoner', 'deepseek/deepseek-reasoner', {}, true],
    ['openai', undefined, 'deepseek/deepseek-reasoner', {}, false],
    ['openai', undefined, 'openai/gpt-5.4', { providerData: { openai: { itemId: 'rs_1' } } }, true],
    ['google', 'google/gemini-2.5-pro', 'google/gemini-2.5-pro', {}, true],
    ['google', undefined, 'google/gemini-2.5-pro', { providerData: { google: { thoughtSignature: 's' } } }, true],
    ['google', undefined, 'google/gemini-2.5-pro', {}, false],
  ] as const)('for %s, reasoning of %s for %s with %j is shown: %s', (family, maker, model, more, isShown) => {
    const parts: Part[] = [
      { type: 'reasoning', text: 'hm', ...more },
      { type: 'text', text: 'b' },
    ]
    const message: Message = { role: 'assistant', parts, ...(maker === undefined ? {} : { model: maker }) }
    expect(repair([words('user', 'a'), message], { family, model }).messages[1]?.parts).toEqual(isShown ? parts : parts.slice(1))
  })

  it('that are empty are left out, and a message with nothing else', () => {
    const all = stored([words('user', 'a'), words('assistant', ''), { role: 'assistant', parts: [] }, words('user', ' ')])
    expect(rules(all, { family: 'openai' })).toEqual(['empty_part ent_1#0', 'empty_message ent_1', 'empty_message ent_2'])
    expect(shapes(all, { family: 'openai' })).toEqual(['user: a', 'user:  '])
    expect(shapes(all, { family: 'anthropic' })).toEqual(['user: a'])
  })

  it('have no lone surrogates: texts, names, inputs, outputs, keys', () => {
    const bad = 'x\ud800'
    const all: Message[] = [
      {
        role: 'user',
        parts: [
          { type: 'text', text: bad },
          { type: 'file', mediaType: 'image/png', name: bad, bytes: 1 },
        ],
      },
      { role: 'assistant', parts: [{ type: 'tool_call', callId: 'c', tool: bad, input: { [bad]: [bad] } }] },
      { role: 'tool', parts: [result('c', { deep: { [bad]: bad } }, bad)] },
    ]
    for (const family of families) {
      const { messages, repairs } = repair(all, { family })
      expect(JSON.stringify(messages)).not.toContain(String.raw`\ud800`)
      expect(JSON.stringify(messages)).toContain('x�')
      expect(repairs.every(({ rule }) => rule === 'bad_unicode')).toBe(true)
    }
  })

  it('of media that the model does not take are told of by name and size', () => {
    const file = (mediaType: string, name: string): Part => ({ type: 'file', mediaType, name, bytes: 1234 })
    const user: Message = { role: 'user', parts: [file('image/png', 'a.png'), file('video/mp4', 'b.mp4')] }
    const shown = (options: RepairOptions): string[] => shapes([user], options)[0]?.split(': ').slice(1) ?? []
    expect(shown({ family: 'google' })).toEqual(['file', 'file'])
    expect(shown({ family: 'anthropic' })).toEqual(['file', '[file b.mp4, video/mp4, 1234 bytes', 'not shown to this model]'])
    expect(shown({ family: 'google', media: [] })).toHaveLength(4)
    const seen: Message = { role: 'tool', parts: [result('1', 'see:'), file('video/mp4', 'b.mp4')] }
    const [, told] = repair([calls('1'), seen], { family: 'openai' }).messages
    expect(told?.parts).toEqual([result('1', 'see:\n[file b.mp4, video/mp4, 1234 bytes: not shown to this model]')])
  })

  it('never break a message off: each rule is told by its name', () => {
    const named: readonly RepairRule[] = Object.keys(repairTable) as RepairRule[]
    const all = stored([
      words('assistant', 'a'),
      words('system', 's'),
      {
        role: 'assistant',
        parts: [{ type: 'reasoning', text: 'hm' }, { type: 'text', text: 'b\ud800' }, ...calls('1', '1', 'é').parts],
      },
      words('user', ''),
      { role: 'user', parts: [{ type: 'file', mediaType: 'video/mp4', bytes: 1 }] },
      results('1', '1', '1', '9'),
      words('assistant', 'c'),
      words('assistant', 'd'),
    ])
    const told = new Set(repair(all, { family: 'anthropic' }).repairs.map(({ rule }) => rule))
    expect([...told].sort()).toEqual([...named].sort())
  })
})
