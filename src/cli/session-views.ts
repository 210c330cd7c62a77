import type { Command } from 'commander'
import { Option } from 'commander'
import { given, isObject } from '#kernel'
import { type UsageGroup, usageGroups } from '#session'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { itemRows } from './context-views.ts'
import { findSession } from './name-session.ts'
import { columns, countText, moneyText, oneLine } from './table.ts'
import type { ContextQuery, RecoverFlags } from './verbs.ts'

/** `skein VERB ID` on one session: context, usage, watch and cancel. */
export function addSessionViews(program: Command, run: Runner): void {
  program
    .command('context')
    .argument('<session>', 'id, alias, the beginning of an id, or title')
    .addOption(
      new Option('--format <format>', 'the shape of the messages').choices([
        'auto',
        'skein',
        'openai',
        'openai-responses',
        'anthropic',
        'ai-sdk',
      ]),
    )
    .option('--model <reference>', "for this model's window")
    .option('--explain', 'how each place of it is shown, and why')
    .description('what the model is shown next')
    .action(run(showContext))
  program
    .command('usage')
    .argument('<session>')
    .addOption(new Option('--by <group>', 'in groups').choices([...usageGroups]))
    .option('--tree', "with its sub-sessions'")
    .description('what a session used and cost')
    .action(run(showUsage))
  program
    .command('watch')
    .argument('<session>')
    .option('--after <id>', 'only what comes after this seq')
    .option('--types <types>', 'only these, with commas between')
    .description('follow a session; ends with Ctrl-C')
    .action(run(watch))
  program.command('cancel').argument('<session>').description('end the run that goes on, wherever it does').action(run(cancel))
  program.command('abort').argument('<session>').description('the same, without waiting for tools that go on').action(run(abort))
  program
    .command('recover')
    .argument('<session>')
    .option('--apply', 'carry it out, and go on with the run')
    .addOption(new Option('--approvals <how>', 'calls of unknown outcome').choices(['wait', 'deny', 'end']))
    .description('what is to be done for a run whose process died')
    .action(run(recover))
}

async function showContext(invocation: Invocation, name: string, flags: ContextQuery): Promise<void> {
  const { out } = invocation
  const query = {
    ...given({ format: flags.format, model: flags.model, explain: flags.explain }),
  }
  const context = await withVerbs(invocation, async verbs => await verbs.context(await findSession(verbs, name), query))
  if (out.json) return await out.body(context)
  const { tokens, budget } = context
  out.talk(
    `${tokens.total} of ${budget.usable} tokens${budget.assumed ? ' (window assumed)' : ''}${context.fits ? '' : ': too long'}; shown ${countText(context.messages.length, 'message')}.`,
  )
  for (const repair of context.repairs) out.talk(`repaired: ${repair.rule} ${repair.ref}`)
  if (context.items !== undefined) {
    for (const line of itemRows(context.items)) await out.line(line)
    return
  }
  if (context.system !== null) await out.line(`system: ${context.system}\n`)
  for (const message of context.messages) await out.line(JSON.stringify(message, null, 2))
}

async function showUsage(
  invocation: Invocation,
  name: string,
  flags: { readonly by?: UsageGroup; readonly tree?: boolean },
): Promise<void> {
  const { out } = invocation
  const options = { ...given({ by: flags.by }), ...(flags.tree === true ? { tree: true } : {}) }
  const report = await withVerbs(invocation, async verbs => await verbs.usage(await findSession(verbs, name), options))
  if (out.json) return await out.body(report)
  const row = (key: string, { requests, usage, cost }: Pick<typeof report, 'requests' | 'usage' | 'cost'>): string[] => {
    const read = usage.cacheReadTokens + usage.cacheWrite5mTokens + usage.cacheWrite1hTokens
    return [
      key,
      String(requests),
      String(usage.inputTokens),
      String(read),
      String(usage.outputTokens),
      moneyText(cost.nano, cost.complete),
    ]
  }
  const rows = [
    ['', 'requests', 'input', 'cached', 'output', 'cost'],
    ...(report.by ?? []).map(group => row(oneLine(group.key, 60), group)),
    row('total', report),
  ]
  for (const line of columns(rows)) await out.line(line)
  for (const tool of report.tools ?? [])
    await out.line(`${tool.tool}: ${countText(tool.calls, 'call')}, ${countText(tool.errors, 'error')}, ${tool.ms} ms`)
}

async function watch(
  invocation: Invocation,
  name: string,
  flags: { readonly after?: string; readonly types?: string },
): Promise<void> {
  const { out, interrupts } = invocation
  const signal = interrupts.abort()
  await withVerbs(invocation, async verbs => {
    const id = await findSession(verbs, name)
    const types = flags.types?.split(',').map(type => type.trim())
    const query = {
      signal,
      ...given({ after: flags.after, types }),
    }
    for await (const event of verbs.events(id, query)) {
      if (out.json) await out.body(event)
      else
        await out.line(
          `${'seq' in event ? String(event.seq) : `${event.after}.${event.n}`}  ${event.type}  ${oneLine(shown(event), 160)}`,
        )
    }
  })
  if (signal.aborted) throw signal.reason
}

function shown(event: object): string {
  if ('entry' in event) return JSON.stringify((event.entry as { data: unknown }).data)
  return 'text' in event ? String(event.text) : ''
}

async function cancel(invocation: Invocation, name: string): Promise<void> {
  await endRun(invocation, name, 'cancel')
}

async function abort(invocation: Invocation, name: string): Promise<void> {
  await endRun(invocation, name, 'abort')
}

async function recover(invocation: Invocation, name: string, flags: RecoverFlags): Promise<void> {
  const { out } = invocation
  const told = await withVerbs(invocation, async verbs => await verbs.recover(await findSession(verbs, name), flags))
  if (out.json) return await out.body(told)
  const { plan, runId } = told
  if (plan === null) return out.talk('No run died here.')
  for (const { callId, tool, state, action } of plan.effects) await out.line(`${callId}  ${tool}  ${state}  ${action}`)
  for (const { kind, name: code } of plan.missing ?? []) await out.line(`${kind} ${code} is not there any more`)
  out.talk(`${plan.run} was ${plan.state} in step ${plan.step}; ${runId === null ? 'it waits.' : 'it goes on.'}`)
}

async function endRun(invocation: Invocation, name: string, verb: 'cancel' | 'abort'): Promise<void> {
  const { out } = invocation
  const answer = await withVerbs(invocation, async verbs => await verbs[verb](await findSession(verbs, name)))
  if (out.json) await out.body(answer)
  else out.talk(isObject(answer) && answer['cancelled'] === true ? 'Cancelled.' : 'No run was going on.')
}
