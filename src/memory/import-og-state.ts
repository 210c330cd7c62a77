import { isObject } from '#kernel'
import { textsOf } from './import-og-nodes.ts'

/** What a state of oG-Memory says, as far as it is well typed. */
export interface OgState {
  readonly set: {
    readonly objective?: string
    readonly stage?: string
    readonly nextStep?: string
    readonly blockers?: readonly string[]
  }
  readonly commitments: readonly { readonly text: string; readonly kind: 'loop' | 'decision' | 'constraint' }[]
}

const parts = ['window_state', 'window', 'task_state', 'task', 'working_state', 'session_state', 'state']
const names = {
  objective: ['objective', 'current_objective', 'goal', 'active_task', 'current_task', 'task'],
  stage: ['stage', 'current_stage', 'phase'],
  nextStep: ['next_step', 'nextStep', 'next_action'],
  blockers: ['blockers', 'open_questions'],
} as const
const lists = {
  loop: ['open_loops', 'loops', 'open_items', 'todos'],
  constraint: ['constraints'],
  decision: ['decisions', 'recent_decisions'],
} as const

const most = 2_000

/** Window and task state; badly typed fields count as empty, unknown ones as absent. Source: spec/memory.md 14. */
export function readOgState(value: Readonly<Record<string, unknown>>): OgState {
  const places = [value, ...parts.map(part => value[part]).filter(isObject)]
  const find = (keys: readonly string[]): unknown[] =>
    places.flatMap(place => keys.flatMap(key => (key in place ? [place[key]] : [])))
  const text = (keys: readonly string[]): string | undefined =>
    find(keys)
      .filter((one): one is string => typeof one === 'string')
      .map(one => one.trim().slice(0, most))
      .find(one => one !== '')
  const [objective, stage, nextStep] = [text(names.objective), text(names.stage), text(names.nextStep)]
  const blockers = find(names.blockers).flatMap(textsOf)
  const listed = Object.entries(lists).flatMap(([kind, keys]) =>
    find(keys)
      .flatMap(itemsIn)
      .map(item => ({ text: item, kind: kind as keyof typeof lists })),
  )
  const typed = find(['commitments'])
    .flatMap(list => (Array.isArray(list) ? (list as readonly unknown[]) : []))
    .flatMap(typedItem)
  return {
    set: {
      ...(objective === undefined ? {} : { objective }),
      ...(stage === undefined ? {} : { stage }),
      ...(nextStep === undefined ? {} : { nextStep }),
      ...(blockers.length === 0 ? {} : { blockers }),
    },
    commitments: [...listed, ...typed],
  }
}

function itemsIn(list: unknown): string[] {
  if (!Array.isArray(list)) return []
  return (list as readonly unknown[]).flatMap(item => textOf(item) ?? [])
}

function textOf(item: unknown): string | undefined {
  const text = isObject(item) ? (item['text'] ?? item['content'] ?? item['description']) : item
  return typeof text === 'string' && text.trim() !== '' ? text.trim().slice(0, most) : undefined
}

function typedItem(item: unknown): OgState['commitments'] {
  const text = textOf(item)
  const kind = isObject(item) ? (item['kind'] ?? item['type']) : undefined
  if (text === undefined) return []
  if (kind === 'decision' || kind === 'constraint') return [{ text, kind }]
  return [{ text, kind: 'loop' }]
}
