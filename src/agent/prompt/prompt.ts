import { type Fact, factsSection, type TaskContext, taskSection } from './task.ts'

/** What the system prompt of a run is made of, where the session was given none of its own. */
export interface PromptParts {
  readonly mode: string
  readonly cwd: string | null
  /** When the session began; a day that changed meanwhile would be another prompt. */
  readonly startedAt: number
  readonly facts: readonly Fact[]
  readonly task: TaskContext | undefined
  /** Sections of extensions, before the task. */
  readonly more?: readonly string[]
  readonly now: number
}

const modes: Readonly<Record<string, string>> = {
  worker: 'You carry the task out yourself.',
  orchestrator: 'You plan, and delegate the work; you change nothing yourself.',
  planner: 'You plan; you change nothing.',
  reviewer: 'You review what others did; you change nothing.',
  auditor: 'You audit what is there; you change nothing and ask nothing.',
}

/** The sections in the order of spec/agent.md 16; `null` when none has anything to say. Pure. Law A54. */
export function promptOf({ mode, cwd, startedAt, facts, task, more = [], now }: PromptParts): string | null {
  const role = modes[mode]
  const sections = [
    role === undefined ? '' : `# Mode: ${mode}\n${role}`,
    factsSection(facts, now),
    ...more,
    task === undefined ? '' : taskSection(task),
  ]
  if (sections.every(section => section === '')) return null
  const day = new Date(startedAt).toISOString().slice(0, 10)
  const environment = cwd === null ? '' : `# Environment\nWorking directory: ${cwd}\nDate at the beginning: ${day}`
  return [sections[0], environment, ...sections.slice(1)].filter(section => section !== '').join('\n\n')
}
