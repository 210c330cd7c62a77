import type { Draw } from './draw.ts'

/** Something that is said once, and that somebody may need much later. */
export interface Fact {
  readonly index: number
  readonly kind: FactKind
  /** What it is about: unique, and what is searched for. */
  readonly subject: string
  /** To the letter; no other text of the scene holds it. */
  readonly value: string
  readonly by: Speaker
  readonly language: 'en' | 'zh' | 'ja'
  /** The turn that says it. */
  readonly turn: number
  /** What was true before, and since when. */
  readonly before?: { readonly value: string; readonly turn: number; readonly by: Speaker }
  /** Of a closed item: the turn that ticks it off. */
  readonly closed?: number
}

/**
 * How it is said: as it is, as a rule, with its reason, as what was tried and failed, corrected later, as an item that stays open
 * or one that is ticked off later.
 */
export type FactKind = 'value' | 'constraint' | 'decision' | 'failed' | 'superseded' | 'open' | 'closed'

/** One in six is corrected, one in six Chinese or Japanese (those at 4 and 10). */
const kinds = [
  'value',
  'constraint',
  'superseded',
  'decision',
  'value',
  'failed',
  'open',
  'value',
  'superseded',
  'closed',
  'value',
  'value',
] as const satisfies readonly FactKind[]

export type Speaker = 'user' | 'assistant' | 'tool'

const projects =
  'Marlin,Kestrel,Juniper,Basalt,Heron,Tundra,Saffron,Obsidian,Willow,Cobalt,Magnolia,Falcon,Orchid,Granite,Lynx,Cedar,Amber,Puffin,Quartz,Sorrel'.split(
    ',',
  )
const attributes =
  'retry limit,release window,on-call lead,backup path,signing key,shard count,alert threshold,rollout flag,vendor contract,test account,cache lifetime,schema version,export folder,meeting room,failure code'.split(
    ',',
  )
const eastProjects = { zh: '青鹭,白杨,石榴,银杏,云雀,海棠'.split(','), ja: '白鷺,若葉,紫陽花,山茶花,海燕,柚子'.split(',') }
const eastAttributes = {
  zh: '重试上限,发布窗口,值班负责人,备份路径,分片数量,告警阈值'.split(','),
  ja: '再試行上限,公開時期,当番担当,保存場所,分割数,警報基準'.split(','),
}
const firstNames = 'Ingrid,Tomasz,Leila,Anselm,Priya,Mateo,Yuki,Odalys,Bram,Chiara,Nnamdi,Sunniva'.split(',')
const lastNames =
  'Solberg,Wozniak,Farahani,Okafor,Castellano,Ravndal,Iyer,Delacroix,Brandvold,Marchetti,Achterberg,Lindqvist'.split(',')
const hues = 'blue,amber,silver,crimson,ivory,teal,copper,violet'.split(',')
const beasts = 'otter,lantern,meadow,anchor,harbor,comet,thistle,glacier'.split(',')
const eastNames = {
  zh: '陈慧敏,林国栋,赵雅文,周明远,吴思琪,郑海涛'.split(','),
  ja: '佐藤美咲,高橋健一,渡辺直樹,中村千夏,小林悠斗,加藤真理'.split(','),
}

const hex = (draw: Draw, length: number): string =>
  Array.from({ length }, () => '0123456789abcdef'.charAt(draw.below(16))).join('')

/** What an answer may look like; most hold digits, some are words alone. */
const shapes: readonly ((draw: Draw) => string)[] = [
  draw => `${draw.between(101, 989)}.${draw.between(11, 99)} ms`,
  draw => `${draw.between(10_001, 98_989)} requests`,
  draw => `infra/${draw.pick(beasts)}/limits-${draw.between(100, 999)}.toml`,
  draw => `20${draw.between(27, 39)}-0${draw.between(1, 9)}-${draw.between(10, 28)}`,
  draw => `v${draw.between(3, 29)}.${draw.between(11, 99)}.${draw.between(11, 99)}`,
  draw => `${draw.pick(hues)}-${draw.pick(beasts)}-${draw.between(1_000, 9_999)}`,
  draw => `ERR_${draw.pick(beasts).toUpperCase()}_${draw.between(1_000, 9_999)}`,
  draw => `https://wiki.example/${draw.pick(hues)}/${draw.between(10_000, 99_999)}`,
  draw => `${hex(draw, 4)}7c${hex(draw, 6)}`,
  draw => `${draw.pick(firstNames)} ${draw.pick(lastNames)}`,
  draw => `the ${draw.pick(hues)} ${draw.pick(beasts)} ${draw.pick(['room', 'plan', 'account', 'list'])}`,
]
const eastShapes: readonly ((draw: Draw, language: 'zh' | 'ja') => string)[] = [
  draw => `${draw.between(1_001, 9_989)}毫秒`,
  draw => `${draw.between(10_001, 98_989)}次`,
  (draw, language) => draw.pick(eastNames[language]),
  draw => `20${draw.between(27, 39)}年${draw.between(1, 12)}月${draw.between(10, 28)}日`,
  draw => `infra/${draw.pick(beasts)}/backup-${draw.between(100, 999)}.yaml`,
]

/**
 * So many facts, spread over the turns: of users, assistants and tools alike, one in six Chinese or Japanese, one in six said
 * again later with another value, by whoever.
 */
export function drawFacts(draw: Draw, count: number, turns: number): Fact[] {
  const used = new Set<string>()
  const fresh = (make: () => string): string => {
    for (;;) {
      const text = make()
      if (!used.has(text)) return (used.add(text), text)
    }
  }
  const speaker = (): Speaker => draw.pick(['user', 'user', 'assistant', 'tool', 'tool'])
  return Array.from({ length: count }, (_, index): Fact => {
    const language = index % 6 === 4 ? draw.pick(['zh', 'ja'] as const) : 'en'
    const subject = fresh(() =>
      language === 'en'
        ? `${draw.pick(attributes)} of ${draw.pick(projects)}`
        : `${draw.pick(eastProjects[language])}${language === 'zh' ? '项目的' : '計画の'}${draw.pick(eastAttributes[language])}`,
    )
    const shape = language === 'en' ? draw.pick(shapes) : draw.pick(eastShapes)
    const value = (): string => fresh(() => shape(draw, language === 'ja' ? 'ja' : 'zh'))
    const turn = Math.floor(((index + 0.5) * turns) / count)
    const kind = kinds[index % kinds.length] as FactKind
    const by = kind === 'value' || kind === 'superseded' ? speaker() : draw.pick(['user', 'assistant'] as const)
    const later = Math.min(turns - 1, turn + draw.between(Math.ceil(turns / 20), Math.ceil(turns / 4)))
    if (kind === 'closed') return { index, kind, subject, value: value(), by, language, turn, closed: later }
    if (kind !== 'superseded') return { index, kind, subject, value: value(), by, language, turn }
    const before = { value: value(), turn, by }
    return { index, kind, subject, value: value(), by: speaker(), language, turn: later, before }
  })
}
