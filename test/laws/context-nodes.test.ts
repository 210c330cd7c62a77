import { isType, type Summary } from '#journal'
import type { Session } from '#skein'
import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { everyEntry, proveBranch } from './branch-proof.ts'
import { codeOf, fill, filler, ofType, room } from './compacting-room.ts'
import { onEveryStore } from './stores.ts'

const paths = (from: number, count: number): string[] => Array.from({ length: count }, (_, n) => `src/part-${from + n}/file.ts`)

/** Turns whose results name many files each, all of them once. */
async function fillWithPaths(session: Session, turns: number, each: number): Promise<string[]> {
  for (let n = 0; n < turns; n++) {
    const callId = `c${n}`
    await session.append([
      { role: 'user', content: `Look for matter ${n}.` },
      { role: 'assistant', parts: [{ type: 'tool_call', callId, tool: 'find', input: { n } }] },
      { role: 'tool', parts: [{ type: 'tool_result', callId, tool: 'find', output: paths(n * each, each).join('\n') }] },
      { role: 'assistant', content: filler(60) },
    ])
  }
  return paths(0, turns * each)
}

const kept = ({ text, anchors }: Pick<Summary, 'text' | 'anchors'>): ((path: string) => boolean) => {
  const list = new Set(anchors.map(anchor => anchor.text))
  return path => text.includes(path) || list.has(path)
}

const settings = {
  buffer: 105_000,
  keepTokens: 500,
  leafTokens: 2_500,
  fanout: 2,
  summaryShare: 0.05,
  prune: { protectTokens: 5_000, minTokens: 2_000 },
}
const unpruned = { ...settings, prune: { protectTokens: 100_000, minTokens: 2_000 } }

onEveryStore('the nodes of a compaction', makePlace => {
  verifies('C73', 'let nothing stand open again that was ticked off in a later range', async () => {
    const { session } = await room([() => filler(120)], { context: unpruned }, makePlace)
    const said = ['- [ ] water the roses at dawn', '- [ ] plough the northern field', '- [x] water the roses at dawn']
    for (const line of said) {
      await session.append([
        { role: 'user', content: line },
        { role: 'assistant', content: filler(2_300) },
      ])
    }
    await fill(session, 6, 900)
    for (let times = 0; times < 3; times++) {
      await session.compact({ targetTokens: 0 })
      const { messages } = await session.context({ compact: false, format: 'skein' })
      const lines = (messages as { readonly parts: readonly { readonly text?: string }[] }[])
        .flatMap(({ parts }) => parts.flatMap(({ text = '' }) => text.split('\n')))
        .filter(line => /^- \[.\] /.test(line))
      expect(lines).toContain('- [ ] plough the northern field')
      expect(lines.findLast(line => line.includes('roses')) ?? '- [x]').toContain('- [x]')
      await fill(session, 4, 900)
    }
    const shown = (await session.summaries()).filter(summary => summary.shown)
    expect(shown.length).toBeGreaterThan(0)
    expect(shown.some(({ depth }) => depth > 0)).toBe(true)
  })

  verifies('C71', 'keep every identifier through every condensation, and what a request reads stays small', async () => {
    const { session, place } = await room([() => filler(150)], { context: unpruned }, makePlace)
    const all = await fillWithPaths(session, 12, 150)
    await session.compact({ targetTokens: 0 })
    const summaries = await session.summaries()
    expect(summaries.filter(({ depth }) => depth > 1).length).toBeGreaterThan(0)
    expect(summaries.some(({ shown, anchors }) => shown && anchors.length > 1_000)).toBe(true)
    const reopened = await (await place.open()).sessions.open(session.id)
    const conversation = await session.conversation()
    for (const node of await reopened.summaries()) {
      const first = conversation.findIndex(({ id }) => id === node.covers.first)
      const last = conversation.findIndex(({ id }) => id === node.covers.last)
      const said = JSON.stringify(conversation.slice(first, last + 1))
      const isKept = kept(node)
      expect(all.filter(path => said.includes(path) && !isKept(path))).toEqual([])
    }
    const stored = await session.entries({ types: ['summary_added'], limit: 1_000, parts: 'stub' })
    for (const { data } of stored) expect(Buffer.byteLength(JSON.stringify(data))).toBeLessThan(12_000)
    const whole = (await everyEntry(session, false)).flatMap(entry => (isType(entry, 'summary_added') ? [entry.data] : []))
    expect(whole).toEqual(summaries.map(({ shown: _shown, ...node }) => node))
    const [node] = summaries.filter(({ shown }) => shown)
    expect(await session.describe(node?.id ?? '')).toMatchObject({ anchorCount: node?.anchors.length })
    await proveBranch(session)
  })

  verifies('C71', 'keep what a content names that is shown by its outline', async () => {
    const { session } = await room([() => filler(100)], { context: { ...settings, largeTokens: 1_000 } }, makePlace)
    const output = `${filler(3_000)} /deep/inside/one.conf ${filler(3_000)}`
    await session.append([
      { role: 'user', content: `Look. ${filler(500)}` },
      { role: 'assistant', parts: [{ type: 'tool_call', callId: 'c', tool: 'read', input: {} }] },
      { role: 'tool', parts: [{ type: 'tool_result', callId: 'c', tool: 'read', output }] },
    ])
    await fill(session, 3, 600)
    expect(await session.compact({ targetTokens: 0 })).toMatchObject({ status: 'done' })
    expect((await session.summaries()).some(node => kept(node)('/deep/inside/one.conf'))).toBe(true)
  })

  verifies('C19 C71', 'go with a fork and a bundle, with all that they keep', async () => {
    const { session } = await room([() => filler(150)], { context: unpruned }, makePlace)
    await fillWithPaths(session, 6, 150)
    await session.compact({ targetTokens: 0 })
    const shown = async (of: Session): Promise<Summary[]> =>
      (await of.summaries()).flatMap(({ shown: isShown, ...node }) => (isShown ? [node] : []))
    const here = await shown(session)
    const fork = await session.fork()
    const anchors = (nodes: readonly Summary[]): unknown => nodes.map(node => node.anchors.map(({ text }) => text))
    expect(anchors(await shown(fork))).toEqual(anchors(here))
    const bundle = await session.export('skein')
    const other = await (await makePlace()).open({ context: settings })
    const { session: imported } = await other.sessions.import('skein', bundle)
    expect(await shown(imported)).toEqual(here)
    expect(here.length).toBeGreaterThan(0)
    expect((await imported.audit()).findings).toEqual([])
  })

  it('are named by their change as far as they are shown by it, and every entry finds its compaction', async () => {
    const { session } = await room([() => filler(150)], { context: settings }, makePlace)
    await fillWithPaths(session, 12, 150)
    const { id, summaries, pruned } = await session.compact({ targetTokens: 0 })
    const [edit] = await ofType(session, 'context_edited')
    if (edit === undefined || !isType(edit, 'context_edited')) throw new Error('Nothing was edited.')
    const shown = edit.data.frontier.flatMap(item => ('summary' in item ? [item.summary] : []))
    expect(summaries.length).toBeGreaterThan(shown.length)
    expect(edit.data.swapped.toSorted()).toEqual(shown.toSorted())
    const raw = new Set(edit.data.frontier.flatMap(item => ('entry' in item ? [item.entry] : [])))
    expect(edit.data.pruned.every(ref => raw.has(ref.slice(0, ref.indexOf('#')) as never))).toBe(true)
    expect(pruned.parts).toBeGreaterThan(edit.data.pruned.length)
    for (const { id: ref } of await session.conversation()) {
      const standing = await session.explain(ref)
      if (standing.shown === 'summary') expect(standing).toMatchObject({ since: id })
    }
    await proveBranch(session)
    expect(await codeOf(session.describe('sum_01ARZ3NDEKTSV4RRFFQ69G5FAV'))).toBe('summary.not_found')
  })
})
