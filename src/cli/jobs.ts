import type { Command } from 'commander'
import type { Job } from '#jobs'
import { given, parseId } from '#kernel'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import type { JobsQuery } from './job-verbs.ts'
import { findSession } from './name-session.ts'
import { columns, oneLine, timeText } from './table.ts'
import { wholeNumber } from './whole-number.ts'

interface ScopeFlags {
  readonly kind?: string
  readonly session?: string
}
interface ListFlags extends ScopeFlags {
  readonly state?: JobsQuery['state']
  readonly before?: string
  readonly limit?: number
}

/** `skein jobs`: what is done in the background, and what was given up on. */
export function addJobs(program: Command, run: Runner): void {
  const jobs = program.command('jobs').description('background work of a store')
  jobs
    .command('ls')
    .option('--state <state>', 'queued, running, done, parked or skipped')
    .option('--kind <kind>', 'such as archive.summarize')
    .option('--session <session>', 'only what concerns this one')
    .option('--before <job>', 'those before this one')
    .option('--limit <n>', 'at most so many (50)', wholeNumber)
    .description('jobs, newest first')
    .action(run(listJobs))
  jobs.command('show').argument('<job>', 'job_…').description('one job').action(run(showJob))
  jobs
    .command('idle')
    .option('--kind <kind>', 'only jobs of this kind')
    .option('--session <session>', 'only what concerns this one')
    .option('--wait-ms <ms>', 'how long to wait (30000)', wholeNumber)
    .description('do what is queued, or wait for whoever does, until nothing is')
    .action(run(awaitIdle))
  jobs.command('retry').argument('<job>', 'job_…').description('let a parked job run again').action(run(retryJob))
  jobs
    .command('skip')
    .argument('<job>', 'job_…')
    .argument('[reason]', 'why')
    .description('give a parked job up')
    .action(run(skipJob))
}

async function listJobs(invocation: Invocation, { session, before, ...flags }: ListFlags): Promise<void> {
  const { out } = invocation
  const page = await withVerbs(invocation, async verbs => {
    const of = session === undefined ? undefined : await findSession(verbs, session)
    return await verbs.jobs.list(
      given({ ...flags, session: of, before: before === undefined ? undefined : parseId('job', before, '--before') }),
    )
  })
  if (out.json) return await out.body(page)
  if (page.items.length === 0) return out.talk('No jobs.')
  for (const line of columns([['', 'kind', 'state', 'attempts', 'created', ''], ...page.items.map(row)])) await out.line(line)
}

const row = ({ id, kind, state, attempts, maxAttempts, createdAt, lastError }: Job): string[] => [
  id,
  kind,
  state,
  `${attempts}/${maxAttempts}`,
  timeText(createdAt),
  lastError === undefined ? '' : oneLine(`${lastError.code} ${lastError.message}`, 60),
]

async function showJob(invocation: Invocation, id: string): Promise<void> {
  await tell(invocation, await withVerbs(invocation, async verbs => await verbs.jobs.get(id)))
}

async function retryJob(invocation: Invocation, id: string): Promise<void> {
  await tell(invocation, await withVerbs(invocation, async verbs => await verbs.jobs.retry(id)))
}

async function skipJob(invocation: Invocation, id: string, reason: string | undefined): Promise<void> {
  await tell(invocation, await withVerbs(invocation, async verbs => await verbs.jobs.skip(id, reason)))
}

async function tell({ out }: Invocation, job: Job): Promise<void> {
  if (out.json) return await out.body(job)
  const facts = Object.entries(job).filter(([, value]) => value !== null)
  for (const line of columns(facts.map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)])))
    await out.line(line)
}

async function awaitIdle(
  invocation: Invocation,
  { session, kind, waitMs }: ScopeFlags & { readonly waitMs?: number },
): Promise<void> {
  const { out } = invocation
  const idle = async (): Promise<{ readonly idle: true }> =>
    await withVerbs(
      invocation,
      async verbs => {
        const of = session === undefined ? undefined : await findSession(verbs, session)
        return await verbs.jobs.idle(given({ kind, session: of, waitMs }))
      },
      { worker: true },
    )
  const answer = await idle()
  if (out.json) await out.body(answer)
  else out.talk('Nothing is queued or running.')
}
