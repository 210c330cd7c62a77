import { isAbsolute, join } from 'node:path'
import { given, invalidInput } from '#kernel'
import { type Invocation, withVerbs } from './command.ts'
import { countText } from './table.ts'

export interface HermesFlags {
  readonly stateDb?: string
  readonly zone?: string
  readonly dryRun?: boolean
}

/** `sessions import --format hermes`: routes, sessions and transcripts of a folder. What can't be read is told; the rest goes on. */
export async function importHermes(invocation: Invocation, folder: string, flags: HermesFlags): Promise<void> {
  const { io, out } = invocation
  const { stateDb, zone, dryRun = false } = flags
  const placed = (path: string | undefined): string | undefined =>
    path === undefined || path === '' ? undefined : isAbsolute(path) ? path : join(io.cwd, path)
  const input = given({ dir: placed(folder), stateDb: placed(stateDb), zone, dryRun })
  if (folder === '-') throw invalidInput('file', 'Name the folder.')
  const report = await withVerbs(invocation, verbs => verbs.importHermes(input))
  if (out.json) return await out.body(report)
  const { routes, sessions, messages, branches, skipped } = report
  const counts = [countText(routes, 'route'), countText(sessions, 'session'), countText(messages, 'message')]
  await out.line(`${dryRun ? 'Would add' : 'Added'} ${counts.join(', ')}.`)
  if (branches > 0) out.talk(`${countText(branches, 'transcript')} beside another of the same session.`)
  for (const { what, why } of skipped) out.talk(`Skipped ${what}: ${why}`)
}

/** Other formats know none of these. */
export function refuseHermesFlags(flags: HermesFlags): void {
  const { stateDb, zone, dryRun } = flags
  for (const [name, value] of Object.entries({ '--state-db': stateDb, '--zone': zone, '--dry-run': dryRun }))
    if (value !== undefined) throw invalidInput(name, 'This is for --format hermes.')
}
