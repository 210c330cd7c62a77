import type { Category } from './extractor.ts'

/** What the beginning of a sentence gives. `key` absent: that of what follows, of its first `words` words. */
export interface Rule {
  readonly starts: readonly string[]
  readonly category: Category
  readonly key?: string
  readonly words?: number
  readonly confidence: number
  /** What follows needs no space before it. */
  readonly joined?: true
}

const name = (starts: readonly string[]): Rule => ({ starts, category: 'profile', key: 'name', confidence: 0.9 })
const profile = (key: string, ...starts: readonly string[]): Rule => ({ starts, category: 'profile', key, confidence: 0.8 })
const preference = (...starts: readonly string[]): Rule => ({ starts, category: 'preference', confidence: 0.8 })
const entity = (...starts: readonly string[]): Rule => ({ starts, category: 'entity', words: 6, confidence: 0.7 })
const event = (...starts: readonly string[]): Rule => ({ starts, category: 'event', confidence: 0.7 })
const joined = (rule: Rule): Rule => ({ ...rule, joined: true })

/** Source: spec/memory.md 8. */
const english: readonly Rule[] = [
  name(['my name is', 'call me']),
  profile('home', 'i live in'),
  profile('employer', 'i work at'),
  profile('role', 'i work as'),
  profile('origin', 'i am from'),
  preference('i prefer', 'i like', 'i dislike', 'always use', 'never use'),
  entity('remember that', 'remember:'),
  event('we decided', 'decision:'),
]

const german: readonly Rule[] = [
  name(['ich heiße', 'ich heisse', 'mein name ist', 'nenn mich', 'nennen sie mich']),
  profile('home', 'ich wohne in', 'ich lebe in'),
  profile('employer', 'ich arbeite bei'),
  profile('role', 'ich arbeite als'),
  profile('origin', 'ich komme aus', 'ich stamme aus'),
  preference('ich bevorzuge', 'ich mag', 'benutze immer', 'verwende immer', 'benutze nie', 'verwende nie'),
  entity('merk dir, dass', 'merke dir, dass', 'merk dir:', 'merke dir:'),
  event('wir haben entschieden', 'wir haben beschlossen', 'entscheidung:'),
]

const french: readonly Rule[] = [
  name(["je m'appelle", 'mon nom est', 'appelle-moi', 'appelez-moi']),
  profile('home', "j'habite à", "j'habite en", 'je vis à', 'je vis en'),
  profile('employer', 'je travaille chez'),
  profile('role', 'je travaille comme', 'je travaille en tant que'),
  profile('origin', 'je viens de'),
  preference('je préfère', "j'aime", "je n'aime pas", 'utilise toujours', "n'utilise jamais"),
  entity('souviens-toi que', 'souvenez-vous que', 'retiens que', 'retenez que'),
  event('nous avons décidé', 'on a décidé', 'décision :', 'décision:'),
]

const spanish: readonly Rule[] = [
  name(['me llamo', 'mi nombre es', 'llámame']),
  profile('home', 'vivo en'),
  profile('employer', 'trabajo en'),
  profile('role', 'trabajo como', 'trabajo de'),
  profile('origin', 'soy de'),
  preference('prefiero', 'me gusta', 'me gustan', 'no me gusta', 'no me gustan', 'usa siempre', 'siempre usa', 'nunca uses'),
  entity('recuerda que', 'recuerde que', 'recuerda:'),
  event('decidimos', 'hemos decidido', 'decisión:'),
]

const chinese: readonly Rule[] = [
  name(['我的名字是', '我的名字叫', '我叫', '叫我']),
  profile('home', '我住在'),
  profile('employer', '我就职于'),
  profile('role', '我的工作是', '我的职业是'),
  profile('origin', '我来自'),
  preference('我更喜欢', '我不喜欢', '我喜欢', '我偏好', '总是使用', '不要使用'),
  entity('请记住', '记住', '记得'),
  event('我们决定', '决定：', '决定:'),
].map(joined)

/** One table per language; a start of one is none of another. */
export const rules: readonly Rule[] = [...english, ...german, ...french, ...spanish, ...chinese]
