import type { Command } from 'commander'
import { type EntryId, given, invalidInput } from '#kernel'
import type { Category, EraseTarget, Memory, MemoryHit, Range, RangeState } from '#memory'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { confirm } from './confirm.ts'
import { findSession } from './name-session.ts'
import { columns, oneLine, timeText } from './table.ts'
import type { Verbs } from './verbs.ts'
import { wholeNumber } from './whole-number.ts'

interface WhoseFlags {
  readonly owner?: string
  readonly category?: readonly string[]
  readonly limit?: number
}

/** `skein memory`: what sessions taught, and what is still to be learnt from. */
export function addMemory(program: Command, run: Runner): void {
  const memory = program.command('memory').description('what sessions taught')
  memory
    .command('ls')
    .argument('[owner]', 'whose: a user or an agent; all of them without it')
    .option('--category <name...>', 'only these, such as profile')
    .option('--limit <n>', 'at most so many (50)', wholeNumber)
    .option('--cursor <cursor>', 'go on behind a page')
    .description('current memories, newest first')
    .action(run(listMemories))
  memory
    .command('search')
    .argument('<query>', 'words')
    .option('--owner <owner>', 'whose')
    .option('--category <name...>', 'only these')
    .option('--at <time>', 'what held then, ISO 8601 with a zone')
    .option('--limit <n>', 'at most so many (10)', wholeNumber)
    .description('memories that tell of something, best first')
    .action(run(searchMemories))
  memory.command('history').argument('<memory>', 'id or uri').description('every version, newest first').action(run(showHistory))
  memory.command('pending').description('sessions that are not wholly learnt from').action(run(listPending))
  memory
    .command('ranges')
    .option('--session <session>', 'only of this one')
    .option('--state <state>', 'such as parked')
    .option('--extractor <name>', 'such as rules')
    .option('--all', 'those that a rewind replaced, too')
    .option('--limit <n>', 'at most so many (50)', wholeNumber)
    .option('--cursor <cursor>', 'go on behind a page')
    .description('what was learnt from, and what came of it')
    .action(run(listRanges))
  memory
    .command('extract')
    .argument('<session>', 'id, alias, or the beginning of one')
    .option('--session-time <time>', 'what relative dates are relative to, ISO 8601 with a zone')
    .description('queue what was not queued yet')
    .action(run(extract))
  memory
    .command('rewind')
    .argument('<session>', 'id, alias, or the beginning of one')
    .argument('<seq>', 'from where on', wholeNumber)
    .description('learn from there on afresh')
    .action(run(rewind))
  memory
    .command('undo')
    .argument('<what>', 'a memory, or the archive (arc_…) or job (job_…) that taught it')
    .description('take back what was learnt')
    .action(run(undo))
  memory
    .command('erase')
    .argument('[memory]', 'id of a memory; or say one of these:')
    .option('--user <user>', 'with all sessions and memories')
    .option('--session <session>', 'id, alias, or the beginning of one')
    .option('--entry <id...>', 'only these of the session')
    .description('erase for good, with all that was drawn from it; asks before, unless --yes')
    .action(run(erase))
}

async function listMemories(
  invocation: Invocation,
  owner: string | undefined,
  { category, ...flags }: Omit<WhoseFlags, 'owner'> & { readonly cursor?: string },
): Promise<void> {
  const { out } = invocation
  const filter = given({ ...flags, categories: category as readonly Category[] | undefined })
  const { page, why } = await withVerbs(invocation, async verbs => {
    const page = await verbs.memory.list(owner, filter)
    return { page, why: page.items.length > 0 || out.json ? [] : await whyNone(verbs) }
  })
  if (out.json) return await out.body(page)
  if (page.items.length === 0) {
    out.talk(owner === undefined ? 'No memories.' : `No memories of ${owner}.`)
    for (const line of why) out.talk(line)
    return
  }
  await tell(invocation, [['', 'owner', 'category', 'since', ''], ...page.items.map(row)])
}

/** What stands in the way of there being any, and what to do about it. */
async function whyNone({ memory }: Verbs): Promise<string[]> {
  const pending = (await memory.pending()).items
  const rejected = (await memory.ranges({ state: 'partial', limit: 200 })).items.flatMap(range => range.rejected)
  const unowned = rejected.filter(({ code }) => code === 'owner_unknown').length
  return [
    ...(pending.length === 0
      ? []
      : [
          `Not wholly learnt from: ${counted(pending.length, 'session')}. skein memory pending lists them, skein memory extract SESSION queues one.`,
        ]),
    ...(unowned === 0
      ? []
      : [
          `Learnt for nobody: ${counted(unowned, 'thing')} said in sessions without a user. Name one for new sessions: skein run --user NAME, create({ user }).`,
        ]),
  ]
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

const row = ({ id, owner, category, validFrom, abstract }: Memory): string[] => [
  id,
  owner,
  category,
  timeText(validFrom),
  oneLine(abstract, 80),
]

async function searchMemories(
  invocation: Invocation,
  query: string,
  { category, ...flags }: WhoseFlags & { readonly at?: string },
): Promise<void> {
  const { out } = invocation
  const search = { query, ...given({ ...flags, categories: category as readonly Category[] | undefined }) }
  const found = await withVerbs(invocation, verbs => verbs.memory.search(search))
  if (out.json) return await out.body(found)
  if (found.items.length === 0) return out.talk('Nothing.')
  const legs = (hit: MemoryHit): string =>
    Object.entries(hit.legs)
      .map(([leg, rank]) => `${leg} ${rank}`)
      .join(', ')
  await tell(
    invocation,
    found.items.map(hit => [...row(hit), legs(hit)]),
  )
}

async function showHistory(invocation: Invocation, id: string): Promise<void> {
  const { out } = invocation
  const found = await withVerbs(invocation, verbs => verbs.memory.history(id))
  if (out.json) return await out.body(found)
  const until = ({ validTo, retiredAt }: Memory): string => {
    if (retiredAt !== null) return `retired ${timeText(retiredAt)}`
    return validTo === null ? '' : timeText(validTo)
  }
  await tell(
    invocation,
    found.items.map(one => [
      String(one.version),
      timeText(one.validFrom),
      until(one),
      `seen ${one.seen}`,
      oneLine(one.content, 80),
    ]),
  )
}

async function listPending(invocation: Invocation): Promise<void> {
  const { out } = invocation
  const found = await withVerbs(invocation, verbs => verbs.memory.pending())
  if (out.json) return await out.body(found)
  if (found.items.length === 0) return out.talk('Nothing is pending.')
  await tell(invocation, [
    ['', 'learnt to', 'queued to'],
    ...found.items.map(({ session, extractedTo, queuedTo }) => [session, String(extractedTo), String(queuedTo)]),
  ])
}

interface RangeFlags {
  readonly session?: string
  readonly state?: RangeState
  readonly extractor?: string
  readonly all?: boolean
  readonly limit?: number
  readonly cursor?: string
}

async function listRanges(invocation: Invocation, { session, ...flags }: RangeFlags): Promise<void> {
  const { out } = invocation
  const page = await withVerbs(invocation, async verbs => {
    const of = session === undefined ? undefined : await findSession(verbs, session)
    return await verbs.memory.ranges(given({ ...flags, session: of }))
  })
  if (out.json) return await out.body(page)
  if (page.items.length === 0) return out.talk('No ranges.')
  await tell(invocation, [['session', 'seq', 'by', 'state', 'learnt', ''], ...page.items.map(rangeRow)])
}

const rangeRow = ({ session, fromSeq, toSeq, extractor, state, failure, reason, counts }: Range): string[] => [
  session,
  `${fromSeq}–${toSeq}`,
  extractor,
  state,
  `${counts.applied}/${counts.candidates}`,
  failure ?? reason ?? '',
]

async function extract(
  invocation: Invocation,
  session: string,
  { sessionTime }: { readonly sessionTime?: string },
): Promise<void> {
  const { out } = invocation
  const queued = await withVerbs(
    invocation,
    async verbs => await verbs.memory.extract(await findSession(verbs, session), sessionTime),
  )
  if (out.json) return await out.body(queued)
  out.talk(queued.extraction === 'queued' ? `Queued as ${queued.jobs.join(', ')}.` : 'There is nothing new to learn from.')
}

async function rewind(invocation: Invocation, session: string, seq: number): Promise<void> {
  const { out } = invocation
  const rewound = await withVerbs(invocation, async verbs => await verbs.memory.rewind(await findSession(verbs, session), seq))
  if (out.json) return await out.body(rewound)
  out.talk(rewound ? `Queued again from ${seq} on.` : `Nothing was queued at ${seq}.`)
}

async function undo(invocation: Invocation, what: string): Promise<void> {
  const { out } = invocation
  const target = what.startsWith('arc_') ? { archive: what } : what.startsWith('job_') ? { job: what } : what
  const receipt = await withVerbs(invocation, verbs => verbs.memory.undo(target))
  if (out.json) return await out.body(receipt)
  const { retired, reopened, kept } = receipt
  await tell(invocation, [
    ...retired.map(({ uri }) => ['retired', uri]),
    ...reopened.map(({ uri }) => ['in force again', uri]),
    ...kept.map(({ uri }) => ['kept', uri]),
  ])
  if (retired.length + kept.length === 0) out.talk('Nothing to take back.')
}

interface EraseFlags {
  readonly user?: string
  readonly session?: string
  readonly entry?: readonly string[]
}

async function erase(invocation: Invocation, memory: string | undefined, { user, session, entry }: EraseFlags): Promise<void> {
  const { out, io } = invocation
  const named = [memory, user, session].filter(one => one !== undefined)
  if (named.length !== 1 || (entry !== undefined && session === undefined))
    throw invalidInput('target', 'Say one of: a memory, --user, --session.')
  const receipt = await withVerbs(
    invocation,
    async verbs => {
      const id = session === undefined ? undefined : await findSession(verbs, session)
      const target = given({ memory, user, session: id, entries: entry as readonly EntryId[] | undefined }) as EraseTarget
      await confirm(io, invocation.yes, `Erase ${entry?.join(', ') ?? named.join('')} for good?`)
      return await verbs.memory.erase(target)
    },
    { worker: true },
  )
  if (out.json) return await out.body(receipt)
  const { state, job, forks, sessions, entries, memories } = receipt
  out.talk(state === 'done' ? `Erased ${sessions} sessions, ${entries} entries, ${memories} memories.` : `Queued as ${job}.`)
  if (forks.length > 0) out.talk(`Forks remain: ${forks.join(', ')}.`)
}

async function tell({ out }: Invocation, rows: readonly (readonly string[])[]): Promise<void> {
  for (const line of columns(rows.map(cells => [...cells]))) await out.line(line)
}
