import { instructionsSection, type Skill, skillsSection } from './file-sections.ts'
import { type Fact, factsSection, type TaskContext, taskSection } from './task.ts'

/** What the system prompt of a run is made of, where the session was given none of its own. */
export interface PromptParts {
  /** Who the agent is, before all else. */
  readonly identity?: string | null
  /** What it may use: named where there is anything else to say. */
  readonly tools?: readonly { readonly name: string; readonly description: string }[]
  readonly mode: string
  readonly cwd: string | null
  readonly platform?: string
  /** When the session began; a day that changed meanwhile would be another prompt. */
  readonly startedAt: number
  readonly instructions?: readonly { readonly path: string; readonly text: string }[]
  readonly skills?: readonly Skill[]
  readonly facts: readonly Fact[]
  /** The section of guardrails. */
  readonly guardrails?: string
  readonly task: TaskContext | undefined
  /** Sections of extensions, before the task. */
  readonly more?: readonly string[]
  /** Nobody looks on or answers. */
  readonly headless?: boolean
  readonly now: number
}

const modes: Readonly<Record<string, string>> = {
  worker: 'You carry the task out yourself.',
  orchestrator: 'You plan, and delegate the work; you change nothing yourself.',
  planner: 'You plan; you change nothing.',
  reviewer: 'You review what others did; you change nothing.',
  auditor: 'You audit what is there; you change nothing and ask nothing.',
}

/** The sections in the order of spec/agent.md 16; `null` when none has anything to say of itself. Pure. Law A54. */
export function promptOf(parts: PromptParts): string | null {
  const { mode, facts, task, more = [], now, headless = false } = parts
  const role = modes[mode]
  const said = {
    identity: parts.identity?.trim() ?? '',
    mode: role === undefined ? '' : `# Mode: ${mode}\n${role}`,
    instructions: instructionsSection(parts.instructions ?? []),
    skills: skillsSection(parts.skills ?? []),
    facts: factsSection(facts, now),
    guardrails: parts.guardrails ?? '',
    more: more.filter(section => section !== '').join('\n\n'),
    task: task === undefined ? '' : taskSection(task),
    headless: headless ? headlessContract : '',
  }
  if (Object.values(said).every(section => section === '')) return null
  return [
    said.identity,
    toolsSection(parts.tools ?? []),
    said.mode,
    environmentSection(parts),
    said.instructions,
    said.skills,
    said.facts,
    said.guardrails,
    said.more,
    said.task,
    said.headless,
  ]
    .filter(section => section !== '')
    .join('\n\n')
}

const headlessContract =
  '# Nobody looks on\nNobody reads along or answers. Ask nothing: decide what can be decided, finish what you can, and end with what you did, what you did not, and why.' // prettier-ignore

const toolLength = 200

function toolsSection(tools: NonNullable<PromptParts['tools']>): string {
  if (tools.length === 0) return ''
  const lines = tools.map(({ name, description }) => {
    const line = description.trim().split('\n')[0]?.trim() ?? ''
    return `- ${name}${line === '' ? '' : `: ${line.length > toolLength ? `${line.slice(0, toolLength).toWellFormed()}…` : line}`}`
  })
  return `# Tools\n${lines.join('\n')}`
}

function environmentSection({ cwd, platform, startedAt }: PromptParts): string {
  if (cwd === null) return ''
  const day = new Date(startedAt).toISOString().slice(0, 10)
  const system = platform === undefined ? '' : `\nPlatform: ${platform}`
  return `# Environment\nWorking directory: ${cwd}${system}\nDate at the beginning: ${day}`
}
