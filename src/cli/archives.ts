import type { Command } from 'commander'
import { type EntryId, given } from '#kernel'
import type { CommitResult } from '#memory'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { findSession } from './name-session.ts'
import { columns, countText, oneLine, timeText } from './table.ts'
import { wholeNumber } from './whole-number.ts'

interface CommitFlags {
  readonly wait?: boolean
  readonly through?: string
  readonly extract?: boolean
}
interface ListFlags {
  readonly all?: boolean
  readonly limit?: number
  readonly cursor?: string
}

/** `skein commit`, `skein archives`, `skein close`: what is sealed of a session. */
export function addArchives(program: Command, run: Runner): void {
  program
    .command('commit')
    .argument('<session>', 'id, alias, the beginning of an id, or title')
    .option('--wait', 'until what stands for it is written')
    .option('--through <entry>', 'seal up to this entry')
    .option('--no-extract', 'learn nothing from it')
    .description('seal what is live into an archive')
    .action(run(commit))
  program
    .command('archives')
    .argument('<session>')
    .option('--all', 'those that were merged, too')
    .option('--limit <count>', '1–200', wholeNumber)
    .option('--cursor <cursor>', 'the page after')
    .description('what stands for the sealed parts of a session, newest first')
    .action(run(archives))
  program
    .command('close')
    .argument('<session>')
    .option('--commit', 'seal all that is live first')
    .description('let a session go')
    .action(run(close))
}

async function commit(invocation: Invocation, name: string, flags: CommitFlags): Promise<void> {
  const options = given({
    wait: flags.wait,
    through: flags.through as EntryId | undefined,
    extract: flags.extract === false ? false : undefined,
  })
  // One command doesn't stay for background work, unless it was asked to wait for it.
  const gear = flags.wait === true ? { worker: true } : {}
  const result = await withVerbs(
    invocation,
    async verbs => await verbs.archives.commit(await findSession(verbs, name), options),
    gear,
  )
  await tellCommit(invocation, result)
}

async function close(invocation: Invocation, name: string, flags: { readonly commit?: boolean }): Promise<void> {
  const options = given({ commit: flags.commit })
  const result = await withVerbs(invocation, async verbs => await verbs.archives.close(await findSession(verbs, name), options))
  if (result !== null) return await tellCommit(invocation, result)
  if (invocation.out.json) await invocation.out.body(result)
  else await invocation.out.line('closed')
}

async function tellCommit({ out }: Invocation, result: CommitResult): Promise<void> {
  if (out.json) return await out.body(result)
  if (!result.archived) return await out.line('nothing is live')
  const { status, archive, messages, tokensBefore, tokensAfter, overview, error } = result
  await out.line(`${status}: ${archive}, ${countText(messages, 'message')}, ${tokensBefore} to ${tokensAfter} tokens`)
  if (overview !== undefined) await out.line(overview)
  if (error !== undefined) out.talk(`${error.code}: ${error.message}`)
}

async function archives(invocation: Invocation, name: string, flags: ListFlags): Promise<void> {
  const { out } = invocation
  const page = await withVerbs(
    invocation,
    async verbs => await verbs.archives.list(await findSession(verbs, name), given({ ...flags })),
  )
  if (out.json) return await out.body(page)
  const rows = page.items.map(({ id, state, fromSeq, toSeq, endedAt, abstract }) => [
    id,
    state,
    `${fromSeq}–${toSeq}`,
    timeText(endedAt),
    oneLine(abstract, 100),
  ])
  for (const line of columns(rows)) await out.line(line)
  if (page.items.length === 0) out.talk('Nothing was sealed.')
  if (page.next !== undefined) out.talk(`More: --cursor ${page.next}`)
}
