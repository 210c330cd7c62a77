import { badConfig } from './bad-config.ts'

/** What an agent is there for. */
export type AgentMode = 'full' | 'worker' | 'orchestrator' | 'planner' | 'reviewer' | 'auditor'

/** Tools of Skein by what they are to a mode; all others are a user's own. */
const groupOf = {
  read: 'reads',
  ls: 'reads',
  grep: 'reads',
  web: 'reads',
  recall: 'reads',
  ask_user: 'asks',
  write: 'works',
  edit: 'works',
  bash: 'works',
  delegate: 'delegates',
} as const
type Group = (typeof groupOf)[keyof typeof groupOf] | 'ownReads' | 'own'

const everything = { reads: true, asks: true, works: true, delegates: true, ownReads: true, own: true }
const reading = { reads: true, asks: true, works: false, delegates: false, ownReads: true, own: false }

/** Which tools each mode has. Source: spec/agent.md 11. */
const tables: Readonly<Record<AgentMode, Readonly<Record<Group, boolean>>>> = {
  full: everything,
  worker: { ...everything, delegates: false },
  orchestrator: { ...reading, delegates: true },
  planner: reading,
  reviewer: reading,
  auditor: { ...reading, asks: false },
}

export const agentModes: readonly AgentMode[] = ['full', 'worker', 'orchestrator', 'planner', 'reviewer', 'auditor']

export function modeHas(mode: AgentMode, { name, readOnly }: { readonly name: string; readonly readOnly?: boolean }): boolean {
  const own = readOnly === true ? 'ownReads' : 'own'
  return tables[mode][Object.hasOwn(groupOf, name) ? groupOf[name as keyof typeof groupOf] : own]
}

/** Throws `config.invalid` for anything but a mode. */
export function readMode(value: unknown): AgentMode {
  const found = agentModes.find(mode => mode === value)
  if (found === undefined) throw badConfig('mode', `Expected one of ${agentModes.join(', ')}.`)
  return found
}

/** Whether a mode has no tool that another lacks. */
export function isWithinMode(mode: AgentMode, other: AgentMode): boolean {
  return (Object.keys(everything) as Group[]).every(group => !tables[mode][group] || tables[other][group])
}
