import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { archiveRoom } from './archive-room.ts'
import { proveArchives } from './archive-proof.ts'
import { codeOf } from './compacting-room.ts'
import { everyEntry } from './branch-proof.ts'
import { freshFolder, onEveryStore } from './stores.ts'

interface Told {
  readonly id: string
  readonly at: string
  readonly messages: unknown
  readonly meta?: object
  readonly overview?: string
}

const message = (id: string, role: string, content: string, at = '2026-01-02T03:04:05Z'): object => ({
  id,
  role,
  content,
  created_at: at,
})

function nodesOf(session: string, archives: readonly Told[], state?: unknown): { uri: string; content: string }[] {
  const base = `ctx://acme/users/ada/sessions/${session}`
  return [
    ...archives.flatMap(({ id, at, messages, meta = {}, overview = `Overview of ${id}` }) => [
      { uri: `${base}/history/${id}/overview.md`, content: overview },
      { uri: `${base}/history/${id}/abstract.md`, content: `Abstract of ${id}` },
      { uri: `${base}/history/${id}/messages.json`, content: typeof messages === 'string' ? messages : JSON.stringify(messages) },
      { uri: `${base}/history/${id}/.meta.json`, content: JSON.stringify({ created_at: at, ...meta }) },
    ]),
    ...(state === undefined ? [] : [{ uri: `${base}/state`, content: JSON.stringify(state) }]),
  ]
}

const one: Told = {
  id: 'a1',
  at: '2026-01-01T00:00:00Z',
  messages: [message('m1', 'user', 'one'), message('m2', 'assistant', 'two')],
}
const two: Told = {
  id: 'a2',
  at: '2026-01-02T00:00:00Z',
  // A node whose content is the array as text, and a message that an older archive holds already.
  messages: JSON.stringify({ content: JSON.stringify([message('m2', 'assistant', 'two'), message('m3', 'user', 'three')]) }),
}
const merged: Told = {
  id: 'merged_1',
  at: '2026-01-03T00:00:00Z',
  messages: [message('m1', 'user', 'one'), message('m2', 'assistant', 'two'), message('m3', 'user', 'three')],
}
const three: Told = { id: 'a3', at: '2026-01-04T00:00:00Z', messages: [message('m4', 'user', 'four')] }

onEveryStore('importing archives of oG-Memory', makePlace => {
  it('makes entries of messages, archives of archives, a parent of a merged one, and adds nothing the second time', async () => {
    const { skein } = await archiveRoom({}, makePlace)
    const state = {
      task_state: { objective: 'to win', stage: 7, next_step: 'go on', blockers: 'none' },
      open_loops: ['call Bob', { text: 'write' }, 7],
      decisions: ['use Rust'],
      constraints: ['no network'],
      unknown: true,
    }
    const nodes = nodesOf('s-1', [three, two, one, merged], state)
    const first = await skein.sessions.import('og-memory', nodes)
    expect(first).toMatchObject({ created: true, archives: 3, merged: 1, messages: 4, skipped: [] })
    const { session } = first
    expect((await session.conversation()).map(({ role, parts }) => [role, (parts[0] as { text: string }).text])).toEqual([
      ['user', 'one'],
      ['assistant', 'two'],
      ['user', 'three'],
      ['user', 'four'],
    ])
    const entries = (await everyEntry(session, false)).filter(({ type }) => type === 'message_added')
    expect(entries.map(({ data }) => (data as { externalId: string }).externalId)).toEqual(['m1', 'm2', 'm3', 'm4'])
    expect(entries[0]?.at).toBe(Date.parse('2026-01-02T03:04:05Z'))
    const listed = await session.archives()
    expect(listed.map(({ externalId, state: stands, by }) => [externalId, stands, by])).toEqual([
      ['a3', 'ready', 'import'],
      ['merged_1', 'ready', 'import'],
    ])
    expect(listed[1]).toMatchObject({ overview: 'Overview of merged_1', counts: { user: 2, assistant: 1 } })
    expect((await session.archives({ all: true })).map(({ externalId }) => externalId).sort()).toEqual([
      'a1',
      'a2',
      'a3',
      'merged_1',
    ])
    await proveArchives(session)
    expect(await session.info()).toMatchObject({ liveMessages: 0 })
    const kept = await session.state.get()
    expect(kept).toMatchObject({ objective: 'to win', stage: null, nextStep: 'go on', blockers: [] })
    expect(kept.commitments.map(({ text, kind, status }) => [text, kind, status])).toEqual([
      ['call Bob', 'loop', 'open'],
      ['write', 'loop', 'open'],
      ['no network', 'constraint', 'fulfilled'],
      ['use Rust', 'decision', 'fulfilled'],
    ])
    const before = await session.entries({ limit: 1_000 })
    const again = await skein.sessions.import('og-memory', nodes)
    expect(again).toMatchObject({ id: first.id, created: false, archives: 0, merged: 0, messages: 0, entries: 0 })
    expect(await session.entries({ limit: 1_000 })).toEqual(before)
    // It goes on as any session does, and more of it may come.
    await session.append({ role: 'user', content: 'five' })
    expect(await session.commit()).toMatchObject({ archived: true, messages: 1 })
    const more = await skein.sessions.import(
      'og-memory',
      nodesOf('s-1', [{ ...one, id: 'a9', at: '2026-02-01T00:00:00Z', messages: [message('m9', 'user', 'nine')] }]),
    )
    expect(more).toMatchObject({ id: first.id, archives: 1, messages: 1 })
    await proveArchives(session)
    // Whose it is, the folder doesn't say.
    expect(await codeOf(skein.in('acme').sessions.open(first.id))).toBe('session.not_found')
  })
})

describe('importing archives of oG-Memory', () => {
  it('takes a merged one for an ordinary one where its sources are not there', async () => {
    const { skein } = await archiveRoom()
    const { session, ...report } = await skein.sessions.import('og-memory', nodesOf('s-1', [merged, three]))
    expect(report).toMatchObject({ archives: 2, merged: 0, messages: 4 })
    expect((await session.archives()).map(({ externalId }) => externalId)).toEqual(['a3', 'merged_1'])
  })

  it('skips what cannot be read and names that leave their folder, and goes on with the rest', async () => {
    const { skein } = await archiveRoom()
    const evil = ['..', '..%2F..%2Fetc', 'a%5Cb', 'nul%00'].map(name => ({
      uri: `ctx://x/sessions/s-1/history/${name}/messages.json`,
      content: JSON.stringify([message('e', 'user', 'evil')]),
    }))
    const broken = nodesOf('s-1', [
      { id: 'b1', at: '2026-01-01T00:00:00Z', messages: 'no json' },
      { id: 'b2', at: '2026-01-01T00:00:00Z', messages: [7] },
      one,
    ])
    const report = await skein.sessions.import('og-memory', [...evil, ...broken, { nothing: 1 }, null])
    expect(report).toMatchObject({ archives: 1, messages: 2 })
    expect(report.skipped.map(({ reason }) => reason).sort()).toEqual([
      'messages_unreadable',
      'messages_unreadable',
      'unsafe_name',
      'unsafe_name',
      'unsafe_name',
      'unsafe_name',
    ])
    expect(JSON.stringify(await report.session.conversation())).not.toContain('evil')
    for (const input of [[], 7, '/no/such/folder', ''])
      expect(await codeOf(skein.sessions.import('og-memory', input as never))).not.toBe('resolved')
  })

  it('reads a folder', async () => {
    const folder = freshFolder()
    for (const { uri, content } of nodesOf('s-7', [one, two], { objective: 'to read' })) {
      const file = join(folder, uri.replace('ctx://', '').replace(/state$/, 'state.json'))
      mkdirSync(join(file, '..'), { recursive: true })
      writeFileSync(file, content)
    }
    const { skein } = await archiveRoom()
    const report = await skein.sessions.import('og-memory', folder)
    expect(report).toMatchObject({ archives: 2, messages: 3, skipped: [] })
    expect((await skein.sessions.open('s-7')).id).toBe(report.id)
    expect((await report.session.state.get()).objective).toBe('to read')
    expect(await skein.sessions.import('og-memory', folder)).toMatchObject({ created: false, entries: 0 })
  })
})
