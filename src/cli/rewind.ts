import type { Command } from 'commander'
import type { RewindItem } from '#agent'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { findSession } from './name-session.ts'
import { columns, oneLine } from './table.ts'

interface RewindFlags {
  readonly to: string
  readonly apply?: boolean
  readonly conversation?: boolean
  readonly force?: boolean
}

/** `skein rewind ID --to X`: shows what going back would do to the files of this folder; with `--apply` it is done. */
export function addRewind(program: Command, run: Runner): void {
  program
    .command('rewind')
    .argument('<session>', 'id, alias, the beginning of an id, or title')
    .requiredOption('--to <point>', 'a checkpoint, its label, or a turn: back to before it')
    .option('--apply', 'do it; without this it is only shown')
    .option('--conversation', 'the conversation goes back, too')
    .option('--force', 'also files that others changed since')
    .description('put the files of this folder back as they stood')
    .action(run(rewind))
}

async function rewind(invocation: Invocation, name: string, flags: RewindFlags): Promise<void> {
  const { out } = invocation
  const asked = {
    to: flags.to,
    ...(flags.conversation === true ? { conversation: true } : {}),
    ...(flags.force === true ? { force: true } : {}),
  }
  const answer = await withVerbs(
    invocation,
    async verbs => {
      const id = await findSession(verbs, name)
      const shown = await verbs.previewRewind(id, asked)
      return flags.apply === true ? await verbs.applyRewind(id, shown.token) : shown
    },
    { tools: 'files' },
  )
  if (out.json) return await out.body(answer)
  for (const line of columns([['', 'path', 'why'], ...answer.items.map(row)])) await out.line(line)
  if (answer.conversation !== null)
    out.talk(`The conversation ${flags.apply === true ? 'ends' : 'would end'} at ${answer.conversation}.`)
  out.talk(flags.apply === true ? 'Done.' : 'Nothing was changed. Add --apply to do it.')
}

const row = ({ path, action, reason }: RewindItem): string[] => [action, oneLine(path, 120), reason]
