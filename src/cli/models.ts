import type { Command } from 'commander'
import { type ErrorCode, errorRules, isObject } from '#kernel'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { Exit } from './report-error.ts'
import { columns } from './table.ts'

/** `skein models`, and `models check REF`: what a reference means and whether it can be reached, which is the exit code, too. */
export function addModels(program: Command, run: Runner): void {
  const models = program.command('models').description('the models that Skein knows').action(run(list))
  models.command('ls').description('list them').action(run(list))
  models
    .command('check')
    .argument('<reference>')
    .description('what a name means, and whether there is a credential; exits 6 without one')
    .action(run(check))
}

async function list(invocation: Invocation): Promise<void> {
  const { out } = invocation
  const found = await withVerbs(invocation, verbs => verbs.models())
  if (out.json) return await out.body(found)
  const rows = found.items.map(model => [`${model.provider}/${model.id}`, `${model.contextWindow} in`, `${model.maxOutput} out`])
  for (const line of columns(rows)) await out.line(line)
}

async function check(invocation: Invocation, reference: string): Promise<void> {
  const { out } = invocation
  const answer = await withVerbs(invocation, verbs => verbs.checkModel(reference))
  if (!isObject(answer)) return
  const { ref, credential, problem: found } = answer
  const problem = isObject(found) ? String(found['message']) : undefined
  if (out.json) await out.body(answer)
  else await out.line(`${String(ref)}  ${problem ?? `ready (${typeof credential === 'string' ? credential : 'no credential'})`}`)
  if (isObject(found)) throw new Exit(exitOf(found['code']))
}

/** The exit of what would be refused: 6 without a credential. A code of a newer server counts as a failure. */
function exitOf(code: unknown): number {
  return typeof code === 'string' && Object.hasOwn(errorRules, code) ? errorRules[code as ErrorCode].exit : 1
}
