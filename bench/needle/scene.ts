import { drawing, type Draw } from './draw.ts'
import { drawFacts, type Fact, type Speaker } from './facts.ts'

/** A call that the scripted model makes, and what its tool gives. */
export interface SceneCall {
  readonly callId: string
  readonly tool: 'read_file' | 'run_checks' | 'lookup'
  readonly input: Readonly<Record<string, string>>
  readonly output: string | Readonly<Record<string, unknown>>
}

/** One answer of the model: its text, then its calls, side by side. */
export interface SceneStep {
  readonly text: string
  readonly calls: readonly SceneCall[]
}

export interface SceneTurn {
  readonly user: string
  readonly steps: readonly SceneStep[]
  /** Cancelled in the middle of its last answer, or of its first step's calls. */
  readonly abort?: 'answer' | 'calls'
}

export interface Scene {
  readonly facts: readonly Fact[]
  readonly turns: readonly SceneTurn[]
}

interface Said {
  readonly subject: string
  readonly value: string
  readonly by: Speaker
  readonly language: Fact['language']
  readonly replaced?: string
}

const words =
  'review the queue before we merge because several workers still wait for a slot and nobody has looked at the trace since the last deploy so please check whether the handler drops events when its buffer fills up or if the client retries too early then write down what you find and keep the change small'.split(
    ' ',
  )
const modules = 'queue,worker,buffer,router,parser,loader,broker,mirror,ledger,sampler'.split(',')
const verbs = 'drain,flush,resume,verify,merge,split,index,replay,decode,settle'.split(',')
const east = '我们先检查队列再合并修改因为还有几个任务在等待请确认缓冲区是否会丢失事件然后记录结果'
const jobs = ['Please look into', 'Next, go through', 'Can you tidy up', 'I am worried about', 'Let us finish'] as const

/** Seeded turns with everything in them that a context has to survive; each fact's value stands where it is said and nowhere else. */
export function drawScene(seed: number, turns: number, facts: number): Scene {
  const draw = drawing(seed)
  const drawn = drawFacts(draw, facts, turns)
  const said = new Map<number, Said[]>()
  for (const { subject, value, by, language, turn, before } of drawn) {
    if (before !== undefined) add(said, before.turn, { subject, language, value: before.value, by: before.by })
    const replaced = before !== undefined && draw.percent(50) ? before.value : undefined
    add(said, turn, { subject, value, by, language, ...(replaced === undefined ? {} : { replaced }) })
  }
  const scene = { facts: drawn, turns: Array.from({ length: turns }, (_, at) => drawTurn(draw, at, said.get(at) ?? [])) }
  for (const fact of drawn) checkOnce(scene, fact)
  return scene
}

function drawTurn(draw: Draw, at: number, said: readonly Said[]): SceneTurn {
  const of = (by: Speaker): string[] => said.filter(one => one.by === by).map(one => sentence(draw, one))
  const module = draw.pick(modules)
  const user = [`${draw.pick(jobs)} the ${module}: ${prose(draw, draw.between(12, 60))}.`, ...of('user')]
  if (draw.percent(12)) user.push(chinese(draw, draw.between(20, 60)))
  const asks = draw.percent(70) || said.some(one => one.by === 'tool')
  const calls = asks ? Array.from({ length: draw.pick([1, 1, 2, 3]) }, (_, n) => drawCall(draw, `call_${at}_${n}`)) : []
  const told = said.filter(one => one.by === 'tool')
  const first = calls[0]
  if (first !== undefined && told.length > 0) calls[0] = { ...first, output: withFacts(draw, first.output, told) }
  const answer = [
    `${capital(prose(draw, draw.between(20, 120)))}.`,
    ...of('assistant'),
    `I changed \`${draw.pick(verbs)}_${module}\`.`,
  ]
  if (draw.percent(30)) answer.push(`\`\`\`ts\n${code(draw, draw.between(2, 6))}\`\`\``)
  const last = { text: draw.shuffled(answer).join('\n\n'), calls: [] }
  const steps = calls.length === 0 ? [last] : [{ text: `Let me look at the ${module}.`, calls }, last]
  const aborts = at % 29 === 17 && said.length === 0
  return {
    user: draw.shuffled(user).join(' '),
    steps,
    ...(aborts ? { abort: calls.length > 0 && draw.percent(50) ? 'calls' : 'answer' } : {}),
  }
}

function drawCall(draw: Draw, callId: string): SceneCall {
  const path = `src/${draw.pick(modules)}/${draw.pick(verbs)}-${draw.below(40)}.ts`
  switch (draw.pick(['read_file', 'run_checks', 'lookup'] as const)) {
    case 'read_file':
      return { callId, tool: 'read_file', input: { path }, output: code(draw, draw.between(4, 30)) }
    case 'run_checks': {
      const failed = draw.percent(20) ? `\nError: ${draw.pick(verbs)} timed out in ${path}:${draw.below(300)}` : ''
      return {
        callId,
        tool: 'run_checks',
        input: { suite: draw.pick(modules) },
        output: `${prose(draw, draw.between(30, 160))}${failed}`,
      }
    }
    default:
      return {
        callId,
        tool: 'lookup',
        input: { table: draw.pick(modules) },
        output: {
          rows: Array.from({ length: draw.between(2, 12) }, () => ({ id: draw.below(9_999), name: prose(draw, 3), path })),
        },
      }
  }
}

/** A fact in words, as people and models put it. */
function sentence(draw: Draw, { subject, value, language, replaced }: Said): string {
  if (language === 'zh')
    return replaced === undefined ? `请记住：${subject}是${value}。` : `更正：${subject}改为${value}，不再是${replaced}。`
  if (language === 'ja')
    return replaced === undefined ? `${subject}は${value}です。` : `訂正：${subject}は${replaced}ではなく${value}です。`
  if (replaced !== undefined) return `Correction: the ${subject} is now ${value}, no longer ${replaced}.`
  return draw.pick([
    `Note that the ${subject} is ${value}.`,
    `For the record, the ${subject} is ${value}.`,
    `The ${subject} has been set to ${value}.`,
  ])
}

/** A result that holds facts as tools put them: a line among lines, or a member among members. */
function withFacts(draw: Draw, output: SceneCall['output'], said: readonly Said[]): SceneCall['output'] {
  if (typeof output !== 'string') return { ...output, ...Object.fromEntries(said.map(({ subject, value }) => [subject, value])) }
  const lines = output.split('\n')
  for (const one of said) lines.splice(draw.below(lines.length + 1), 0, `${one.subject}: ${one.value}`)
  return lines.join('\n')
}

function add(said: Map<number, Said[]>, turn: number, one: Said): void {
  said.set(turn, [...(said.get(turn) ?? []), one])
}

const prose = (draw: Draw, count: number): string => {
  const from = draw.below(words.length)
  return Array.from({ length: count }, (_, n) => (draw.percent(80) ? words[(from + n) % words.length] : draw.pick(words))).join(
    ' ',
  )
}
const chinese = (draw: Draw, count: number): string =>
  Array.from({ length: count }, () => east.charAt(draw.below(east.length))).join('')
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
const code = (draw: Draw, lines: number): string =>
  Array.from(
    { length: lines },
    () =>
      `const ${draw.pick(modules)}${draw.below(99)} = await ${draw.pick(modules)}.${draw.pick(verbs)}({ limit: ${draw.below(9_999)} })\n`,
  ).join('')

/** Every text that somebody says in a scene. */
export function textsOf({ turns }: Scene): string[] {
  return turns.flatMap(({ user, steps }) => [
    user,
    ...steps.flatMap(step => [step.text, ...step.calls.map(call => JSON.stringify(call))]),
  ])
}

/** A bench whose needles lie about in the hay proves nothing. */
function checkOnce(scene: Scene, { value, before }: Fact): void {
  const holding = textsOf(scene).filter(text => text.includes(value)).length
  if (holding !== 1) throw new Error(`${holding} texts hold ${value}.`)
  if (before !== undefined && !textsOf(scene).some(text => text.includes(before.value)))
    throw new Error(`${before.value} is missing.`)
}
