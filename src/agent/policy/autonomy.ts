import { badConfig } from './bad-config.ts'
import type { Decision } from './verdict.ts'

/** How much an agent does without asking. */
export type Autonomy = 'suggest' | 'safe' | 'local-auto' | 'worktree-auto' | 'allow-all-local' | 'allow-all' | 'ci'

/** What a call reaches, in the order in which it is judged. `asks`: its tool wants a person to agree. */
export type Reach = 'read' | 'change' | 'network' | 'secret' | 'outside' | 'asks'

type Code =
  | 'suggest_side_effect_denied'
  | 'secret_denied'
  | 'network_requires_approval'
  | 'outside_workspace_denied'
  | 'outside_workspace_requires_approval'
  | 'ci_network_denied'
  | 'ci_approval_denied'
  | 'approval_required'
  | 'worktree_required'

export type Cell = 'allow' | { readonly decision: Exclude<Decision, 'allow'>; readonly code: `autonomy_${Code}` }

const cell = (decision: Exclude<Decision, 'allow'>, code: Code): Cell => ({ decision, code: `autonomy_${code}` })
const sideEffect = cell('deny', 'suggest_side_effect_denied')
const secret = cell('deny', 'secret_denied')
const outsideDenied = cell('deny', 'outside_workspace_denied')
const outsideAsks = cell('ask', 'outside_workspace_requires_approval')
const networkAsks = cell('ask', 'network_requires_approval')
const toolAsks = cell('ask', 'approval_required')

/** Total: a cell that is missing does not compile. Source: spec/agent.md 11, law A41. */
// prettier-ignore
export const autonomyTable: Readonly<Record<Autonomy, Readonly<Record<Reach, Cell>>>> = {
  suggest:           { read: 'allow', change: sideEffect, network: sideEffect, secret, outside: outsideDenied, asks: sideEffect },
  safe:              { read: 'allow', change: 'allow', network: 'allow', secret, outside: outsideAsks, asks: toolAsks },
  'local-auto':      { read: 'allow', change: 'allow', network: networkAsks, secret, outside: outsideDenied, asks: toolAsks },
  'worktree-auto':   { read: 'allow', change: 'allow', network: networkAsks, secret, outside: outsideDenied, asks: toolAsks },
  'allow-all-local': { read: 'allow', change: 'allow', network: networkAsks, secret, outside: outsideDenied, asks: 'allow' },
  'allow-all':       { read: 'allow', change: 'allow', network: 'allow', secret, outside: outsideAsks, asks: 'allow' },
  ci:                { read: 'allow', change: 'allow', network: cell('deny', 'ci_network_denied'), secret, outside: outsideDenied, asks: cell('deny', 'ci_approval_denied') },
}

/** Of `worktree-auto` where the folder is no work tree. */
export const worktreeRequired: Cell = cell('sandbox', 'worktree_required')

/** Other names, as they stand once case and `_` are gone. */
const names: Readonly<Record<Autonomy, readonly string[]>> = {
  suggest: ['plan', 'planning', 'review', 'review-only'],
  safe: ['default', 'interactive'],
  'local-auto': ['local', 'auto-local'],
  'worktree-auto': ['worktree', 'auto-worktree'],
  'allow-all-local': ['all-local', 'local-all', 'yolo-local'],
  'allow-all': ['all', 'yolo'],
  ci: ['headless', 'noninteractive', 'non-interactive'],
}

/** Throws `config.invalid` for what is no level by any name. */
export function readAutonomy(value: unknown): Autonomy {
  const asked = typeof value === 'string' ? value.trim().toLowerCase().replaceAll('_', '-') : ''
  const found = (Object.keys(names) as Autonomy[]).find(level => level === asked || names[level].includes(asked))
  if (found === undefined) throw badConfig('autonomy', `Expected one of ${Object.keys(names).join(', ')}.`)
  return found
}

const ranks: Readonly<Record<Decision, number>> = { deny: 0, dryRun: 0, sandbox: 0, ask: 1, allow: 2 }
const rankOf = (held: Cell): number => ranks[held === 'allow' ? 'allow' : held.decision]

/** Whether a level does nothing unasked that another would ask for, and asks for nothing that the other denies. */
export function isWithin(level: Autonomy, other: Autonomy): boolean {
  const reaches = Object.keys(autonomyTable[other]) as Reach[]
  return (
    reaches.every(reach => rankOf(autonomyTable[level][reach]) <= rankOf(autonomyTable[other][reach])) &&
    // Alike in the table, but the one works in a work tree alone.
    (other !== 'worktree-auto' || level !== 'local-auto')
  )
}
