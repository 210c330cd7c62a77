import type { Command } from 'commander'
import { given, parseId } from '#kernel'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { confirm } from './confirm.ts'
import { findSession } from './name-session.ts'
import { timeText } from './table.ts'

/** `sessions rm`, `restore`, `rename`, `fork` and `label`. */
export function addSessionChanges(sessions: Command, run: Runner): void {
  sessions
    .command('rm')
    .argument('<session>', 'id, alias, the beginning of an id, or title')
    .option('--erase', 'for good, at once')
    .description('hide a session; it can be restored for 30 days')
    .action(run(remove))
  sessions.command('restore').argument('<session>').description('bring a deleted session back').action(run(restore))
  sessions
    .command('rename')
    .argument('<session>')
    .argument('<title>', 'blank: no title')
    .description('give it a title')
    .action(run(rename))
  sessions
    .command('fork')
    .argument('<session>')
    .option('--at <entry>', 'end with this entry')
    .option('--title <title>', 'of the copy')
    .description('go on from here in a copy')
    .action(run(fork))
  sessions
    .command('label')
    .argument('<session>')
    .argument('<entry>')
    .argument('[text]', 'without it, the label is taken off')
    .description('mark an entry')
    .action(run(label))
}

async function remove(invocation: Invocation, name: string, flags: { readonly erase?: boolean }): Promise<void> {
  const { io, out } = invocation
  const erase = flags.erase === true
  await withVerbs(invocation, async verbs => {
    const id = await findSession(verbs, name)
    await confirm(io, invocation.yes, erase ? `Erase ${id} for good?` : `Delete ${id}?`)
    const answer = await verbs.delete(id, erase)
    if (out.json) return await out.body(answer)
    if ('until' in answer) out.talk(`Deleted ${id}. skein sessions restore ${id} brings it back until ${timeText(answer.until)}.`)
    else out.talk(`Erased ${id}: ${answer.entries} entries, ${answer.blobs} blobs.`)
  })
}

async function restore(invocation: Invocation, name: string): Promise<void> {
  const { out } = invocation
  const info = await withVerbs(invocation, async verbs => await verbs.restore(await findSession(verbs, name, 'deleted')))
  if (out.json) await out.body(info)
  else await out.line(info.id)
}

async function rename(invocation: Invocation, name: string, title: string): Promise<void> {
  const { out } = invocation
  const info = await withVerbs(
    invocation,
    async verbs => await verbs.rename(await findSession(verbs, name), title.trim() === '' ? null : title),
  )
  if (out.json) await out.body(info)
  else await out.line(info.title ?? '–')
}

async function fork(
  invocation: Invocation,
  name: string,
  flags: { readonly at?: string; readonly title?: string },
): Promise<void> {
  const { out } = invocation
  const options = {
    ...(flags.at === undefined ? {} : { at: parseId('ent', flags.at, '--at') }),
    ...given({ title: flags.title }),
  }
  const info = await withVerbs(invocation, async verbs => await verbs.fork(await findSession(verbs, name), options))
  if (out.json) await out.body(info)
  else await out.line(info.id)
}

async function label(invocation: Invocation, name: string, entry: string, text: string | undefined): Promise<void> {
  const { out } = invocation
  const entryId = parseId('ent', entry, 'entry')
  const answer = await withVerbs(
    invocation,
    async verbs => await verbs.label(await findSession(verbs, name), entryId, text ?? null),
  )
  if (out.json) await out.body(answer)
  else out.talk(answer.label === null ? 'The label is off.' : `Labelled ${answer.label}.`)
}
