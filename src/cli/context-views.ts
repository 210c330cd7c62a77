import { type Command, Option } from 'commander'
import { given } from '#kernel'
import type { ContextItem, RecallOptions, Standing } from '#session'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { findSession } from './name-session.ts'
import { Exit } from './report-error.ts'
import { columns, countText, oneLine, timeText } from './table.ts'
import type { ExpandQuery } from './verbs.ts'
import { wholeNumber } from './whole-number.ts'

/** What keeps a session within its budget, and what reads back what it no longer shows. */
export function addContextViews(program: Command, run: Runner): void {
  program
    .command('compact')
    .argument('<session>', 'id, alias, the beginning of an id, or title')
    .option('--dry-run', 'only say what would be done')
    .option('--target <tokens>', 'until the next request takes this much', wholeNumber)
    .description('make its context smaller; nothing is lost')
    .action(run(compact))
  program.command('turns').argument('<session>').description('what its turns took').action(run(turns))
  program
    .command('expand')
    .argument('<session>')
    .argument('<ref>', 'ent_…, a part of it as ent_…#0, sum_… or blb_…')
    .option('--offset <count>', 'from here on', wholeNumber)
    .option('--limit <count>', 'so many', wholeNumber)
    .addOption(new Option('--unit <unit>', 'what is counted').choices(['lines', 'chars', 'bytes']))
    .description('read what a ref names')
    .action(run(expand))
  program
    .command('explain')
    .argument('<session>')
    .argument('<entry>', 'ent_…, or a part of it')
    .description('how an entry is shown now, and why')
    .action(run(explain))
  program
    .command('search')
    .argument('<session>')
    .argument('<query...>')
    .option('--literal', 'the exact text, anywhere')
    .addOption(new Option('--role <role>', 'only what these said').choices(['user', 'assistant', 'tool', 'system']))
    .option('--limit <count>', '1–20', wholeNumber)
    .option('--cursor <cursor>', 'the page after')
    .description('find what was said in a session, wherever it stands now')
    .action(run(search))
  program
    .command('audit')
    .argument('<session>')
    .description('prove that nothing is lost to its context; exit 1 where something is wrong')
    .action(run(audit))
}

async function compact(
  invocation: Invocation,
  name: string,
  flags: { readonly dryRun?: boolean; readonly target?: number },
): Promise<void> {
  const { out } = invocation
  const options = given({ dryRun: flags.dryRun, targetTokens: flags.target })
  const result = await withVerbs(invocation, async verbs => await verbs.compact(await findSession(verbs, name), options))
  if (out.json) return await out.body(result)
  const { status, reason, summaries, pruned, cut, tokensBefore, tokensAfter } = result
  await out.line(`${status}: ${tokensBefore} to ${tokensAfter} tokens${reason === undefined ? '' : `; ${reason}`}`)
  await out.line(
    `${summaries.length} ${summaries.length === 1 ? 'summary' : 'summaries'}, ${countText(pruned.parts, 'result')} left out, ${countText(cut.parts, 'part')} cut`,
  )
}

async function turns(invocation: Invocation, name: string): Promise<void> {
  const { out } = invocation
  const page = await withVerbs(invocation, async verbs => await verbs.turns(await findSession(verbs, name)))
  if (out.json) return await out.body(page)
  const rows = page.items.map(({ index, endedAt, context, reported, finishReason, prefix, compactions }) => [
    String(index),
    timeText(endedAt),
    `${context.total} tokens`,
    reported === null ? '' : `${reported} reported`,
    finishReason,
    prefix.brokenBy === null ? '' : `broken by ${prefix.brokenBy}`,
    compactions.length === 0 ? '' : countText(compactions.length, 'compaction'),
  ])
  for (const line of columns(rows)) await out.line(line)
  if (page.items.length === 0) out.talk('No turn has ended.')
}

async function expand(invocation: Invocation, name: string, ref: string, flags: ExpandQuery): Promise<void> {
  const { out } = invocation
  const query = given({ offset: flags.offset, limit: flags.limit, unit: flags.unit })
  const page = await withVerbs(invocation, async verbs => await verbs.expand(await findSession(verbs, name), ref, query))
  if (out.json) return await out.body(page)
  await out.line(page.content.replace(/\n$/, ''))
  if (page.next !== undefined) out.talk(`More: --offset ${page.next.offset} --unit ${page.next.unit}`)
}

async function explain(invocation: Invocation, name: string, ref: string): Promise<void> {
  const { out } = invocation
  const standing = await withVerbs(invocation, async verbs => await verbs.explain(await findSession(verbs, name), ref))
  if (out.json) return await out.body(standing)
  await out.line(standingText(standing))
}

export function standingText({ shown, via, since, reason, tokens }: Standing): string {
  return [
    shown,
    reason === null ? '' : `(${reason})`,
    via.length === 0 ? '' : `via ${via.join(' > ')}`,
    since === null ? '' : `since ${since}`,
    `${tokens} tokens`,
  ]
    .filter(Boolean)
    .join(' ')
}

/** Places of a context, a line each. */
export const itemRows = (items: readonly ContextItem[]): string[] =>
  columns(items.map(item => [item.ref, item.kind, item.shown, item.reason ?? '', `${item.tokens} tokens`]))

interface SearchFlags extends Pick<RecallOptions, 'role' | 'limit' | 'cursor'> {
  readonly literal?: boolean
}

async function search(invocation: Invocation, name: string, words: readonly string[], flags: SearchFlags): Promise<void> {
  const { out } = invocation
  const { literal, role, limit, cursor } = flags
  const options = given({ mode: literal === true ? ('literal' as const) : undefined, role, limit, cursor })
  const found = await withVerbs(
    invocation,
    async verbs => await verbs.recall(await findSession(verbs, name), words.join(' '), options),
  )
  if (out.json) return await out.body(found)
  for (const hit of found.hits) {
    await out.painted(`${out.paint('cyan', hit.ref)} ${timeText(hit.at)} ${hit.role}, ${hit.via ?? hit.shown}`)
    await out.line(`  ${oneLine(hit.excerpt, 200)}`)
  }
  if (found.hits.length === 0) out.talk('Nothing found.')
  if (found.next !== undefined) out.talk(`More: --cursor ${found.next}`)
}

async function audit(invocation: Invocation, name: string): Promise<void> {
  const { out } = invocation
  const found = await withVerbs(invocation, async verbs => await verbs.audit(await findSession(verbs, name)))
  if (out.json) await out.body(found)
  else {
    const { entries, raw, covered, hidden, prefill, findings } = found
    await out.line(`${entries} entries: ${raw} raw, ${covered} covered, ${hidden} hidden, ${prefill} prefill`)
    for (const { kind, ref, message } of findings) await out.line(`✗ ${kind} ${ref}: ${message}`)
    await out.line(findings.length === 0 ? '✓ nothing is lost' : countText(findings.length, 'finding'))
  }
  if (found.findings.length > 0) throw new Exit(1)
}
