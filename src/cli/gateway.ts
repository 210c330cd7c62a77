import type { Command } from 'commander'
import type { InboxFilter, NewSchedule, OutboxFilter, RouteFilter, SourceInput } from '#gateway'
import { given, invalidInput, isObject } from '#kernel'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { addGatewayStart } from './gateway-start.ts'
import type { GatewayVerbs } from './gateway-verbs.ts'
import { columns, oneLine, timeText } from './table.ts'
import { wholeNumber } from './whole-number.ts'

type Rows = readonly (readonly string[])[]

/** `skein gateway`: where messages come from, what waits, and what is asked at set times. */
export function addGateway(program: Command, run: Runner): void {
  const gateway = program.command('gateway').description('messages from chats, webhooks and schedules')
  addGatewayStart(gateway, run)
  gateway
    .command('routes')
    .option('--platform <platform>', 'only of this one')
    .option('--hold <hold>', 'suspended, resume_pending or paused')
    .option('--limit <n>', 'at most so many (50)', wholeNumber)
    .option('--cursor <cursor>', 'the next of the page before')
    .description('which source speaks to which session, newest activity first')
    .action(run((on, filter: RouteFilter) => tell(on, verbs => verbs.routes(filter), ({ items }) => [['key', 'session', 'active', 'holds'], ...items.map(({ key, sessionId, lastActivityAt, holds }) => [key, sessionId, timeText(lastActivityAt), holds.map(({ kind }) => kind).join(', ')])]))) // prettier-ignore
  gateway
    .command('route')
    .argument('<key>', 'k1:… or agent:…')
    .description('one route')
    .action(run((on, key: string) => tell(on, verbs => verbs.route(key))))
  gateway
    .command('explain')
    .argument('<source>', 'JSON: {"platform":"telegram","chatId":"99","userId":"42"}')
    .description('what a message of a source would meet, and why; writes nothing')
    .action(run((on, source: string) => tell(on, verbs => verbs.explain(sourceOf(source)))))
  gateway
    .command('prompt')
    .argument('<source>', 'JSON')
    .description('what the model is told of where it speaks')
    .action(
      run((on, source: string) =>
        tell(
          on,
          verbs => verbs.prompt(sourceOf(source)),
          ({ prompt }) => [[prompt]],
        ),
      ),
    )
  gateway
    .command('reset')
    .argument('<key>', 'k1:… or agent:…')
    .argument('[title]', 'of the new session')
    .description('begin afresh')
    .action(run((on, key: string, title?: string) => tell(on, verbs => verbs.reset(key, title))))
  gateway
    .command('switch')
    .argument('<key>', 'k1:… or agent:…')
    .argument('<session>', 'ses_…')
    .option('--take', 'from another route, which begins afresh')
    .description('speak to another session from now on')
    .action(run((on, key: string, session: string, { take = false }: { take?: boolean }) => tell(on, verbs => verbs.switch(key, session, take)))) // prettier-ignore
  gateway
    .command('suspend')
    .argument('<key>', 'k1:… or agent:…')
    .argument('[reason]', 'why')
    .description('the next message begins afresh')
    .action(run((on, key: string, reason?: string) => tell(on, verbs => verbs.suspend(key, reason))))
  gateway
    .command('pause')
    .argument('<key>', 'k1:… or agent:…')
    .argument('[reason]', 'why')
    .description('messages are stored and wait')
    .action(run((on, key: string, reason?: string) => tell(on, verbs => verbs.pause(key, reason))))
  gateway
    .command('unpause')
    .argument('<key>', 'k1:… or agent:…')
    .description('what waited goes on, where the gateway runs')
    .action(run((on, key: string) => tell(on, verbs => verbs.unpause(key))))
  gateway
    .command('prune')
    .argument('<days>', 'quiet for longer', wholeNumber)
    .option('--dry-run', 'only say how many')
    .description('remove routes that were quiet; sessions stay')
    .action(run((on, days: number, { dryRun = false }: { dryRun?: boolean }) => tell(on, verbs => verbs.prune(days, dryRun), ({ pruned }) => [[`${pruned} ${dryRun ? 'would go' : 'removed'}`]]))) // prettier-ignore
  addMessages(gateway, run)
  addSchedules(gateway, run)
}

function addMessages(gateway: Command, run: Runner): void {
  gateway
    .command('inbox')
    .option('--key <key>', 'only of this route')
    .option('--state <state>', 'such as queued, running, refused')
    .option('--limit <n>', 'at most so many (50)', wholeNumber)
    .option('--cursor <cursor>', 'the next of the page before')
    .description('what came in and what became of it, newest first')
    .action(run((on, filter: InboxFilter) => tell(on, verbs => verbs.inbox(filter), ({ items }) => [['', 'state', 'at', 'from', ''], ...items.map(({ id, state, at, source, text, reason }) => [id, reason === undefined ? state : `${state}: ${reason}`, timeText(at), `${source.platform}:${source.chatId}`, oneLine(text, 50)])]))) // prettier-ignore
  const outbox = gateway.command('outbox').description('what goes out, newest first')
  outbox
    .command('ls', { isDefault: true })
    .description('what goes out, newest first')
    .option('--key <key>', 'only of this route')
    .option('--state <state>', 'pending, sending, delivered, abandoned or suppressed')
    .option('--limit <n>', 'at most so many (50)', wholeNumber)
    .option('--cursor <cursor>', 'the next of the page before')
    .action(run((on, filter: OutboxFilter) => tell(on, verbs => verbs.outbox(filter), ({ items }) => [['', 'state', 'at', 'to', ''], ...items.map(({ id, state, at, to, text }) => [id, state, timeText(at), `${to.platform}:${to.chatId}`, oneLine(text, 50)])]))) // prettier-ignore
  outbox
    .command('retry')
    .argument('<id>', 'out_…')
    .description('send a message again that was given up')
    .action(run((on, id: string) => tell(on, verbs => verbs.retry(id))))
  gateway
    .command('deliver')
    .argument('<target>', 'local, a platform, or platform:chat[:thread]')
    .argument('<text>')
    .description('put a message on its way; what is for local is written here at once')
    .action(run((on, target: string, text: string) => tell(on, verbs => verbs.deliver(target, text), ({ id, to }) => [[id, to]], true))) // prettier-ignore
  const pairings = gateway.command('pairings').description('who asked to be let in, and who was')
  pairings
    .command('ls', { isDefault: true })
    .description('who asked to be let in, and who was')
    .action(run(on => tell(on, verbs => verbs.pairings(), ({ items }) => [['', 'platform', 'user', 'state', 'at'], ...items.map(({ id, platform, user, state, at }) => [id, platform, user, state, timeText(at)])]))) // prettier-ignore
  pairings
    .command('approve')
    .argument('<code>', 'that somebody was given')
    .description('let in whoever was given this code')
    .action(run((on, code: string) => tell(on, verbs => verbs.approve(code))))
}

interface ScheduleFlags extends Omit<NewSchedule, 'prompt' | 'catchUp' | 'at'> {
  readonly at?: string
  readonly skipMissed?: boolean
}

function addSchedules(gateway: Command, run: Runner): void {
  const schedules = gateway.command('schedules').description('what is asked at set times, in sessions of their own')
  schedules
    .command('ls', { isDefault: true })
    .description('what is asked, and when next')
    .action(run(on => tell(on, verbs => verbs.schedules(), ({ items }) => [['', 'when', 'next', 'to', ''], ...items.map(({ id, cron, everyMs, nextAt, deliver, name }) => [id, cron ?? (everyMs === undefined ? 'once' : `every ${everyMs} ms`), timeText(nextAt), deliver, name])]))) // prettier-ignore
  schedules
    .command('add')
    .argument('<prompt>', 'what is asked')
    .option('--cron <expression>', 'by the wall clock of the zone')
    .option('--every-ms <ms>', 'so far apart', wholeNumber)
    .option('--at <time>', 'once; a time of ISO 8601')
    .option('--zone <zone>', 'such as Europe/Berlin')
    .option('--deliver <target>', 'where the answer goes (local)')
    .option('--name <name>')
    .option('--owner <user>', 'of its sessions')
    .option('--skip-missed', 'do not make up for times that were missed')
    .description('ask a model at set times')
    .action(run((on, prompt: string, { at, skipMissed, ...flags }: ScheduleFlags) => tell(on, verbs => verbs.schedule({ prompt, ...flags, ...given({ at: at === undefined ? undefined : timeOf(at) }), catchUp: skipMissed === true ? 'none' : 'one' })))) // prettier-ignore
  schedules
    .command('rm')
    .argument('<id>', 'sch_…')
    .description('it fires no more')
    .action(run((on, id: string) => tell(on, verbs => verbs.unschedule(id))))
  for (const verb of ['enable', 'disable'] as const)
    schedules
      .command(verb)
      .argument('<id>', 'sch_…')
      .description(verb === 'enable' ? 'fire again, from now on' : 'stay, and do not fire')
      .action(run((on, id: string) => tell(on, verbs => verbs.turn(id, verb === 'enable'))))
}

/** Asks, and prints what HTTP answers, or rows of it. `worker`: what is for this machine is done before the command ends. */
async function tell<T extends object>(
  invocation: Invocation,
  ask: (verbs: GatewayVerbs) => Promise<T>,
  rowsOf: (told: T) => Rows = factsOf,
  worker = false,
): Promise<void> {
  const { out } = invocation
  const told = await withVerbs(
    invocation,
    async ({ gateway, jobs }) => {
      const found = await ask(gateway)
      if (worker && invocation.server === undefined) await jobs.idle({ kind: 'gateway.deliver.file' })
      return found
    },
    { worker },
  )
  if (out.json) return await out.body(told)
  for (const line of columns(rowsOf(told))) await out.line(line)
}

const factsOf = (told: object): Rows =>
  Object.entries(told).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)])

function sourceOf(text: string): SourceInput {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value as SourceInput
  } catch {
    // Said below.
  }
  throw invalidInput('source', 'Expected a JSON object, such as {"platform":"telegram","chatId":"99"}.')
}

function timeOf(text: string): number {
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw invalidInput('--at', 'Expected a time, such as 2026-12-24T18:00:00Z.')
  return at
}
