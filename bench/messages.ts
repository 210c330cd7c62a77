/** A message in Skein's shape, as plain data. */
export interface MixMessage {
  readonly role: 'user' | 'assistant' | 'tool'
  readonly parts: readonly Readonly<Record<string, unknown>>[]
}

/** Deterministic numbers in [0, 1). Source: mulberry32, public domain. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const words =
  'the of and to a in is that for it with as was on are be this by at from or have an not which one you were all can there their has more when will would if no time about so them write then she many some see two way look could people my than first been call who its now find long down day did get come made may part over new sound take only little work know place year live back give most very after thing our just name good sentence man think say great where help through much before line right too mean old any same tell boy follow came want show also around form three small set put end does another well large must big even such because turn here why ask went men read need land different home us move try kind hand picture again change off play spell air away animal house point page letter mother answer found study still learn should world'.split(
    ' ',
  )
const names = ['session', 'entry', 'leaf', 'index', 'budget', 'cursor', 'writer', 'fence', 'result', 'state', 'count', 'page']
const han =
  '東京大阪人工知能会話記録検索保存索引時間世界言葉学習今日明日私達彼女方法問題答案数据库存储消息测试系统设计性能结果原因用户文件'

export interface Mix {
  /** The next message: user, assistant with a tool call, the tool's result, assistant, and again. Mean about 3.5 kB as JSON. */
  next(): MixMessage
}

/** The benchmark's messages: prose, code, JSON and Chinese and Japanese text; the same for the same seed. */
export function messageMix(seed: number): Mix {
  const random = seeded(seed)
  const below = (limit: number): number => Math.floor(random() * limit)
  const pick = <T>(list: ArrayLike<T>): T => list[below(list.length)] as T
  const between = (low: number, high: number): number => Math.round(low * (high / low) ** random())
  const fill = (size: number, piece: () => string): string => {
    let text = ''
    while (text.length < size) text += piece()
    return text.slice(0, size)
  }
  const prose = (size: number): string => fill(size, () => `${pick(words)}${below(12) === 0 ? '.\n' : ' '}`)
  const chinese = (size: number): string => fill(size, () => `${pick(han)}${below(20) === 0 ? '。' : ''}`)
  const code = (size: number): string =>
    fill(
      size,
      () =>
        `  const ${pick(names)}${below(99)} = await ${pick(names)}.${pick(words)}({ ${pick(names)}: ${below(9999)}, ${pick(names)}: '${pick(words)}' })\n`,
    )
  const record = (): Record<string, unknown> => ({
    id: below(1_000_000),
    name: `${pick(words)} ${pick(words)}`,
    path: `src/${pick(names)}/${pick(words)}.ts`,
    score: random(),
    tags: [pick(words), pick(names)],
    open: random() < 0.5,
  })
  const records = (size: number): Record<string, unknown>[] => Array.from({ length: Math.ceil(size / 130) }, record)
  let turn = 0
  let call = 0
  const kinds: readonly (() => MixMessage)[] = [
    () => ({
      role: 'user',
      parts: [{ type: 'text', text: below(6) === 0 ? chinese(between(40, 400)) : prose(between(60, 1_500)) }],
    }),
    () => {
      call++
      const input = { command: code(between(60, 900)), path: `src/${pick(names)}.ts`, options: record() }
      return {
        role: 'assistant',
        parts: [
          { type: 'text', text: prose(between(60, 900)) },
          { type: 'tool_call', callId: `call_${seed}_${call}`, tool: 'shell', input },
        ],
      }
    },
    () => {
      const size = between(700, 36_000)
      const output = below(2) === 0 ? records(size) : below(2) === 0 ? code(size) : prose(size)
      return { role: 'tool', parts: [{ type: 'tool_result', callId: `call_${seed}_${call}`, tool: 'shell', output }] }
    },
    () => ({
      role: 'assistant',
      parts: [
        {
          type: 'text',
          text: below(6) === 0 ? chinese(between(200, 1_600)) : `${prose(between(600, 5_500))}\n\n${code(between(300, 4_000))}`,
        },
      ],
    }),
  ]
  return { next: () => (kinds[turn++ % kinds.length] as () => MixMessage)() }
}

/** So many messages of the mix. */
export function someMessages(count: number, seed: number = 1): MixMessage[] {
  const mix = messageMix(seed)
  return Array.from({ length: count }, () => mix.next())
}

/** What a message weighs: its JSON in UTF-8. */
export const payloadBytes = (message: MixMessage): number => Buffer.byteLength(JSON.stringify(message))
