/** Words that ask, as runs of whole segments; they count anywhere in a clause. Source: spec/memory.md 8 and 10. */
export const askingCues: readonly string[] = [
  'please',
  'can you',
  'could you',
  'bitte',
  'kannst du',
  'könntest du',
  "s'il te plaît",
  "s'il vous plaît",
  'peux tu',
  'pouvez vous',
  'por favor',
  'puedes',
  'podrías',
  '请',
  '請',
  '帮我',
  '幫我',
  '能不能',
  'お願い',
  'ください',
]

/** They ask where a clause begins. */
export const startCues: ReadonlySet<string> = new Set(['help', 'need', 'want'])

/** They ask after whoever wants something, too. */
export const wishCues: ReadonlySet<string> = new Set(['need', 'want'])

export const wishers: ReadonlySet<string> = new Set(['i', 'we', "i'd", "we'd", "i'll", "we'll"])

/** What may stand between who wants and the wish. */
export const betweenWish: ReadonlySet<string> = new Set(
  'really also still just now then only would will do did currently urgently badly definitely desperately'.split(' '),
)

/** What turns a wish that follows in its clause into none. */
export const negations: ReadonlySet<string> = new Set(
  [
    'not no never nor neither cannot dont doesnt didnt cant wont shouldnt',
    'nicht nie nein kein keine keinen keinem keiner keines',
    'ne pas non jamais',
    'nunca jamás tampoco',
    '不 别 別 没 沒 不要 没有 沒有 不用 无需 無需',
  ].flatMap(words => words.split(' ')),
)

/** They begin a clause of their own, in which an earlier negation holds no more. */
export const joints: ReadonlySet<string> = new Set('but so because and aber denn und mais donc et pero y'.split(' '))

/** After these a clause begins as after a comma. */
export const freshJoints: ReadonlySet<string> = new Set(['but', 'so', 'because'])
