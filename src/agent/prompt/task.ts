import { isObject } from '#kernel'

/** What an agent works on. Blank parts are left out of the prompt. Source: spec/agent.md 16. */
export interface TaskContext {
  readonly title: string
  readonly description: string
  readonly design?: string
  readonly acceptance?: string
  /** A command; it becomes the required gate `task-verify`. */
  readonly verify?: string
  /** Milliseconds, default 120,000. */
  readonly verifyTimeoutMs?: number
  /** The command is to fail before the work begins. */
  readonly failFirst?: boolean
  readonly notes?: string
  readonly attempts?: readonly string[]
  readonly dependencies?: readonly string[]
  readonly decisions?: readonly string[]
  readonly contextPaths?: readonly string[]
  readonly constraints?: readonly string[]
}

/** Something that is known to be so. */
export interface Fact {
  readonly text: string
  /** When it was last seen to be so, in epoch milliseconds. */
  readonly verifiedAt: number
}

const texts = ['title', 'description', 'design', 'acceptance', 'verify', 'notes'] as const
const lists = ['attempts', 'dependencies', 'decisions', 'contextPaths', 'constraints'] as const
const others = ['verifyTimeoutMs', 'failFirst'] as const

/** What is wrong with a task, if something is: its key and what was expected. */
export function problemOfTask(value: unknown): { readonly key: string; readonly problem: string } | undefined {
  if (!isObject(value) || Array.isArray(value)) return { key: 'task', problem: 'Expected { title, description, … }.' }
  for (const key of Object.keys(value))
    if (![...texts, ...lists, ...others].some(known => known === key)) return { key: `task.${key}`, problem: 'Unknown member.' }
  for (const key of texts) {
    const isNeeded = key === 'title' || key === 'description'
    if (!(typeof value[key] === 'string' || (!isNeeded && value[key] === undefined)))
      return { key: `task.${key}`, problem: 'Expected a text.' }
  }
  for (const key of lists) {
    const list = value[key]
    if (list !== undefined && !(Array.isArray(list) && list.every(item => typeof item === 'string')))
      return { key: `task.${key}`, problem: 'Expected a list of texts.' }
  }
  const { verifyTimeoutMs: ms, failFirst } = value
  if (ms !== undefined && !(typeof ms === 'number' && Number.isSafeInteger(ms) && ms > 0))
    return { key: 'task.verifyTimeoutMs', problem: 'Expected a whole number of milliseconds.' }
  return failFirst === undefined || typeof failFirst === 'boolean'
    ? undefined
    : { key: 'task.failFirst', problem: 'Expected true or false.' }
}

/** The same for facts. */
export function problemOfFacts(value: unknown): { readonly key: string; readonly problem: string } | undefined {
  if (!Array.isArray(value)) return { key: 'facts', problem: 'Expected a list of facts.' }
  const at = value.findIndex(
    fact => !(isObject(fact) && typeof fact['text'] === 'string' && typeof fact['verifiedAt'] === 'number'),
  )
  return at < 0 ? undefined : { key: `facts[${at}]`, problem: 'Expected { text, verifiedAt }.' }
}

const said = {
  description: '',
  design: 'Design',
  acceptance: 'Acceptance',
  verify: 'Verified by',
  notes: 'Notes',
  constraints: 'Constraints',
  decisions: 'Decisions',
  dependencies: 'Depends on',
  attempts: 'Earlier attempts',
  contextPaths: 'Files to look at',
} as const

/** The section of a task. */
export function taskSection(task: TaskContext): string {
  const parts = Object.entries(said).flatMap(([key, heading]) => {
    const value = task[key as keyof typeof said]
    const lines = typeof value === 'string' ? value.trim() : (value ?? []).flatMap(item => (item.trim() === '' ? [] : `- ${item.trim()}`)).join('\n') // prettier-ignore
    if (lines === '') return []
    return [heading === '' ? lines : `## ${heading}\n${lines}`]
  })
  const first = task.failFirst === true && task.verify !== undefined ? ['The verification fails before the work is done.'] : []
  const title = task.title.trim()
  return [title === '' ? '# Task' : `# Task: ${title}`, ...parts, ...first].join('\n\n')
}

/** The section of what is known, each with its age. */
export function factsSection(facts: readonly Fact[], now: number): string {
  const lines = facts.flatMap(({ text, verifiedAt }) =>
    text.trim() === '' ? [] : [`- ${text.trim()} (verified ${age(now - verifiedAt)})`],
  )
  return lines.length === 0 ? '' : `# Known facts\n${lines.join('\n')}`
}

const spans = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
] as const

function age(ms: number): string {
  const span = spans.find(([length]) => ms >= length)
  return span === undefined ? 'just now' : `${Math.floor(ms / span[0])} ${span[1]} ago`
}
