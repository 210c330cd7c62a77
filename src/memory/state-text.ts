import type { WorkingState } from './working-state.ts'

/**
 * The working state as models are shown it: what people said stands quoted, as data. Empty when there is nothing to say.
 * A host escapes and frames it as everything that is injected.
 */
export function stateText(state: WorkingState): string {
  const { objective, stage, nextStep, suggested, blockers, commitments } = state
  const fields = { Objective: objective, 'Maybe now': suggested, Stage: stage, 'Next step': nextStep }
  const open = commitments.filter(({ kind, status }) => kind === 'loop' && status === 'open')
  const inForce = commitments.filter(({ kind, status }) => kind !== 'loop' && status !== 'expired')
  return [
    ...Object.entries(fields).flatMap(([name, text]) => (text === null ? [] : [`${name}: ${quoted(text)}`])),
    ...list('Blockers', blockers.map(quoted)),
    ...list(
      'Open',
      open.map(({ text }) => quoted(text)),
    ),
    ...list(
      'In force',
      inForce.map(({ kind, text }) => `${kind}: ${quoted(text)}`),
    ),
  ].join('\n')
}

const quoted = (text: string): string => JSON.stringify(text)

const list = (name: string, items: readonly string[]): string[] =>
  items.length === 0 ? [] : [`${name}:`, ...items.map(item => `- ${item}`)]
