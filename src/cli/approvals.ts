import type { Command } from 'commander'
import type { Approval } from '#agent'
import { given } from '#kernel'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { findSession } from './name-session.ts'
import { columns, oneLine } from './table.ts'

interface AnswerFlags {
  readonly run?: boolean
  readonly reason?: string
  readonly by?: string
}

/** `skein approvals`, `approve` and `deny`: a person's yes or no to single calls of a run. */
export function addApprovals(program: Command, run: Runner): void {
  program
    .command('approvals')
    .argument('<session>', 'id, alias, the beginning of an id, or title')
    .description('the calls that wait for a yes or no')
    .action(run(listApprovals))
  const answering = { approve: 'let a call go on that waits for a yes', deny: 'refuse a call that waits for a yes' }
  for (const [name, description] of Object.entries(answering))
    program
      .command(name)
      .argument('<approval>', 'apr_…')
      .option('--run', 'for all such calls of this run')
      .option('--reason <text>', 'why; the model is told')
      .option('--by <name>', 'who says so')
      .description(description)
      .action(run((invocation: Invocation, id: string, flags: AnswerFlags) => answer(invocation, id, name, flags)))
}

async function listApprovals(invocation: Invocation, name: string): Promise<void> {
  const { out } = invocation
  const items = await withVerbs(invocation, async verbs => await verbs.approvals(await findSession(verbs, name)))
  if (out.json) return await out.body({ items })
  if (items.length === 0) return out.talk('Nothing waits for an answer.')
  for (const line of columns([['', 'tool', 'input', 'why'], ...items.map(row)])) await out.line(line)
}

const row = ({ id, tool, input, code }: Approval): string[] => [id, tool, oneLine(JSON.stringify(input), 80), code]

async function answer(invocation: Invocation, id: string, verb: string, flags: AnswerFlags): Promise<void> {
  const { out } = invocation
  const decision = verb === 'approve' ? 'allow' : 'deny'
  const scope = flags.run === true ? 'run' : 'once'
  const asked = { decision, scope, ...given({ reason: flags.reason, by: flags.by }) } as const
  const approval = await withVerbs(invocation, async verbs => await verbs.answerApproval(id, asked))
  if (out.json) return await out.body(approval)
  out.talk(`${decision === 'allow' ? 'Approved' : 'Denied'}: ${approval.tool}.`)
}
