import type { Command } from 'commander'
import { invalidInput } from '#kernel'
import type { Commitment, StatePatch, WorkingState } from '#memory'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { findSession } from './name-session.ts'
import { columns } from './table.ts'

interface Flags {
  readonly set?: readonly string[]
  readonly clear?: boolean
}

const gather = (text: string, before: readonly string[] = []): string[] => [...before, text]

/** `skein state`: what a session is about. */
export function addState(program: Command, run: Runner): void {
  program
    .command('state')
    .argument('<session>', 'id, alias, the beginning of an id, or title')
    .option('--set <field=text>', 'objective, stage, nextStep or blockers; blank clears, blockers once for each', gather)
    .option('--clear', 'empty all of it')
    .description('objective, stage, next step, blockers and commitments')
    .action(run(showState))
}

async function showState(invocation: Invocation, name: string, { set = [], clear }: Flags): Promise<void> {
  const { out } = invocation
  const patch = patchOf(set)
  const state = await withVerbs(invocation, async verbs => {
    const id = await findSession(verbs, name)
    const cleared = clear === true ? await verbs.state.clear(id) : undefined
    if (patch !== undefined) return await verbs.state.update(id, patch)
    return cleared ?? (await verbs.state.get(id))
  })
  if (out.json) return await out.body(state)
  for (const line of columns(rows(state))) await out.line(line)
}

const fields: readonly string[] = ['objective', 'stage', 'nextStep', 'blockers']

/** Fields that are named more than once count as told last, but for blockers, which are a list. */
function patchOf(set: readonly string[]): StatePatch | undefined {
  if (set.length === 0) return undefined
  const patch: Record<string, string | null | string[]> = {}
  for (const given of set) {
    const [field = '', ...rest] = given.split('=')
    if (rest.length === 0 || !fields.includes(field))
      throw invalidInput('--set', `Expected FIELD=TEXT with one of ${fields.join(', ')}.`)
    const text = rest.join('=').trim()
    if (field !== 'blockers') patch[field] = text === '' ? null : text
    else patch[field] = [...((patch[field] ?? []) as string[]), ...(text === '' ? [] : [text])]
  }
  return patch
}

function rows({ objective, stage, nextStep, suggested, blockers, commitments }: WorkingState): string[][] {
  const told = { objective, suggested, stage, 'next step': nextStep }
  return [
    ...Object.entries(told).flatMap(([field, text]) => (text === null && field === 'suggested' ? [] : [[field, text ?? '–']])),
    ...blockers.map(text => ['blocker', text]),
    ...commitments.map(commitmentRow),
  ]
}

const commitmentRow = ({ kind, status, text }: Commitment): string[] => [kind, `${text} (${status})`]
