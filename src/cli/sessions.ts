import type { Command } from 'commander'
import { given } from '#kernel'
import { type SessionMessage, type TreeNode, treeText } from '#session'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { findSession } from './name-session.ts'
import type { Output } from './output.ts'
import { messageText } from './show-message.ts'
import { columns, countText, moneyText, oneLine, timeText } from './table.ts'
import { wholeNumber } from './whole-number.ts'

interface ListFlags {
  readonly query?: string
  readonly state?: 'active' | 'ended' | 'deleted'
  readonly user?: string
  readonly agent?: string
  readonly tag?: string
  readonly cwd?: string
  readonly sort?: '-updatedAt'
  readonly limit?: number
  readonly cursor?: string
}

/** `sessions ls`, `show`, `tree` and `search`: they change nothing. */
export function addSessions(sessions: Command, run: Runner): void {
  sessions
    .command('ls')
    .description('list sessions, newest first')
    .option('--query <text>', 'in id, title, beginning or folder')
    .option('--state <state>', 'active, ended or deleted')
    .option('--user <name>', 'of this user')
    .option('--agent <name>', 'of this agent')
    .option('--tag <tag>', 'with this tag')
    .option('--cwd <folder>', 'begun in this folder')
    .option('--sort <order>', '-updatedAt, updatedAt, -lastAccessedAt, -createdAt, createdAt or title')
    .option('--limit <count>', '1–200', wholeNumber)
    .option('--cursor <cursor>', 'the page after')
    .action(run(listSessions))
  sessions
    .command('show')
    .argument('<session>', 'id, alias, the beginning of an id, or title')
    .option('--limit <count>', 'how many messages', wholeNumber, 20)
    .description('what a session is, and its newest messages')
    .action(run(showSession))
  sessions.command('tree').argument('<session>').description('its branches').action(run(showTree))
  sessions
    .command('search')
    .argument('<query...>', 'words, "a phrase", word*, -word')
    .option('--any', 'one of the words is enough')
    .option('--limit <count>', '1–100', wholeNumber)
    .description('find what was said')
    .action(run(search))
}

async function listSessions(invocation: Invocation, flags: ListFlags): Promise<void> {
  const { out } = invocation
  const { query, state, user, agent, tag, cwd, sort, limit, cursor } = flags
  const filter = Object.fromEntries(
    Object.entries({ query, state, user, agent, tag, cwd, sort, limit, cursor }).filter(([, value]) => value !== undefined),
  )
  const page = await withVerbs(invocation, verbs => verbs.list(filter))
  if (out.json) return await out.body(page)
  const rows = page.items.map(info => [
    out.paint('cyan', info.id),
    timeText(info.updatedAt),
    countText(info.messages, 'message'),
    info.state === 'active' ? '' : info.state,
    out.safe(oneLine(info.title ?? info.preview ?? '–', 80)),
  ])
  for (const line of columns(rows)) await out.painted(line)
  if (page.items.length === 0) out.talk('No sessions.')
  if (page.next !== undefined) out.talk(`More: --cursor ${page.next}`)
}

async function showSession(invocation: Invocation, name: string, flags: { readonly limit: number }): Promise<void> {
  const { out } = invocation
  await withVerbs(invocation, async verbs => {
    const info = await verbs.info(await findSession(verbs, name))
    if (out.json) return await out.body(info)
    const { usage } = info
    const rows = [
      ['session', info.id],
      ...(info.alias === null ? [] : [['alias', info.alias]]),
      ['title', info.title ?? '–'],
      ['state', info.running === null ? info.state : `${info.state}, running since ${timeText(info.running.since)}`],
      ['updated', timeText(info.updatedAt)],
      ['messages', `${info.messages} in ${countText(info.turns, 'turn')}, about ${info.liveTokens} tokens`],
      ...(info.model === null ? [] : [['model', info.model]]),
      ...(info.tags.length === 0 ? [] : [['tags', info.tags.join(', ')]]),
      ...(info.holds.length === 0 ? [] : [['held by', info.holds.join(', ')]]),
      ['cost', `${moneyText(usage.cost.nano, usage.cost.complete)} for ${countText(usage.requests, 'request')}`],
    ]
    for (const line of columns(rows.map(([label = '', value = '']) => [out.paint('dim', label), out.safe(oneLine(value, 200))])))
      await out.painted(line)
    const { items } = await verbs.messages(info.id, Math.max(1, flags.limit))
    await showMessages(out, items)
  })
}

export async function showMessages(out: Output, items: readonly SessionMessage[]): Promise<void> {
  for (const message of items) {
    await out.painted('')
    await out.painted(out.paint(message.role === 'user' ? 'green' : 'cyan', message.role))
    await out.line(messageText(message))
  }
}

async function showTree(invocation: Invocation, name: string): Promise<void> {
  const { out } = invocation
  const tree = await withVerbs(invocation, async verbs => await verbs.tree(await findSession(verbs, name)))
  if (out.json) return await out.raw(`${treeText(tree)}\n`)
  // Without recursion: a branch may be longer than the stack is deep.
  const open: { node: TreeNode; depth: number }[] = [{ node: tree, depth: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, depth } = next
    const mark = node.isLeaf ? '●' : node.onBranch ? '│' : '┆'
    const what =
      node.preview ??
      (node.count > 1 ? `${node.type} … ${countText(node.count, 'entry').replace('entrys', 'entries')}` : node.type)
    const label = node.label === null ? '' : ` [${out.safe(node.label)}]`
    const role = node.role === undefined ? '' : `${node.role}: `
    await out.painted(
      `${'  '.repeat(depth)}${mark} ${out.paint('dim', node.id)} ${out.safe(oneLine(`${role}${what}`, 80))}${label}`,
    )
    // A lone child goes on in the same column; only a fork goes deeper.
    const deeper = node.children.length > 1 ? depth + 1 : depth
    for (const child of [...node.children].reverse()) open.push({ node: child, depth: deeper })
  }
}

async function search(
  invocation: Invocation,
  words: readonly string[],
  flags: { readonly any?: boolean; readonly limit?: number },
): Promise<void> {
  const { out } = invocation
  const options = {
    ...(flags.any === true ? { match: 'any' as const } : {}),
    ...given({ limit: flags.limit }),
  }
  const found = await withVerbs(invocation, verbs => verbs.search(words.join(' '), options))
  if (out.json) return await out.body(found)
  for (const hit of found.hits) {
    await out.painted(
      `${out.paint('cyan', hit.session)} ${out.paint('dim', hit.entry)} ${timeText(hit.at)} ${out.safe(oneLine(`${hit.title ?? ''} ${hit.role}`, 60))}`,
    )
    await out.line(`  ${oneLine(hit.snippet, 200)}`)
  }
  if (found.hits.length === 0) out.talk('Nothing found.')
  if (found.behind !== undefined) out.talk(`The index is ${found.behind.entries} entries behind; some hits may be missing.`)
}
