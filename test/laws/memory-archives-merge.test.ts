import { describe, expect, it } from 'vitest'
import type { Session, SkeinOptions } from '#skein'
import { verifies } from '#verifies'
import { addArchive, archiveRoom, sealed, user } from './archive-room.ts'
import { codeOf } from './compacting-room.ts'
import { memoryPlace, onEveryStore } from './stores.ts'

const merging = (maxArchives: number, mergeAt: number): SkeinOptions => ({
  memory: { commit: 'manual', extractor: 'off', maxArchives, mergeAt },
})

const listed = async (session: Session): Promise<string[]> => (await session.archives({ limit: 200 })).map(({ id }) => id)

onEveryStore('merging', makePlace => {
  verifies('M29 M30', 'puts the oldest behind one parent when there are too many, at their place', async () => {
    const { session, skein } = await archiveRoom({}, makePlace)
    const ids: string[] = []
    for (let n = 0; n < 14; n++) ids.push((await addArchive(session, `matter ${n}`)).archive)
    await skein.jobs.idle({ session: session.id })
    expect(await listed(session)).toEqual(ids.toReversed())
    expect(await skein.jobs.list({ kind: 'archive.merge' })).toEqual([])
    ids.push((await addArchive(session, 'matter 14')).archive)
    await skein.jobs.idle({ session: session.id })
    const after = await session.archives()
    expect(after).toHaveLength(10)
    expect(after.slice(0, 9).map(({ id }) => id)).toEqual(ids.slice(6).reverse())
    const parent = after[9]
    expect(parent).toMatchObject({
      state: 'ready',
      children: ids.slice(0, 6),
      fromSeq: 1,
      counts: { user: 6, assistant: 6, tool: 0 },
    })
    expect(parent?.overview.split('\n').slice(0, 3)).toEqual([
      'Merged from 6 archives (12 messages).',
      '',
      `- 2026-11-18: ${(await session.archive(ids[0] ?? '')).abstract}`,
    ])
    expect(parent?.overview.split('\n')).toHaveLength(8)
    const all = await session.archives({ all: true })
    expect(all).toHaveLength(16)
    expect(all.filter(({ state }) => state === 'merged').map(({ mergedInto }) => mergedInto)).toEqual(Array(6).fill(parent?.id))
    expect((await session.info()).archives).toBe(10)
  })

  verifies('M31', 'makes one parent when several merge at once', async () => {
    const { session, place, skein } = await archiveRoom(merging(2, 50), makePlace)
    for (let n = 0; n < 4; n++) await addArchive(session, `matter ${n}`)
    await skein.close()
    const store = (await place.store()).in('default')
    const row = await store.session(session.id)
    await store.commit(
      [0, 1, 2].map(n => ({
        type: 'enqueue' as const,
        job: {
          id: `job_0000000000000000000000000${n}` as const,
          kind: 'archive.merge',
          // Keys of their own, so that they run at once.
          key: `${row?.id ?? ''} ${n}`,
          session: session.id,
          payload: { session: session.id },
          maxAttempts: 5,
        },
      })),
    )
    const workers = await Promise.all([1, 2, 3].map(() => place.open({ ...merging(2, 3), worker: true })))
    const [one] = workers
    // Who lost the race tries again after its backoff, and finds nothing to do.
    await expect
      .poll(async () => {
        place.clock.advance(5_000)
        return (await one?.jobs.list({ kind: 'archive.merge' }))?.map(({ state }) => state)
      })
      .toEqual(['done', 'done', 'done'])
    const again = await one?.sessions.open(session.id)
    expect(await again?.archives()).toHaveLength(2)
    expect(await again?.archives({ all: true })).toHaveLength(5)
  })
})

describe('merging', () => {
  verifies('M29', 'does nothing at ten with 10 and 10, and merges two at eleven', async () => {
    const { session, skein } = await archiveRoom(merging(10, 10))
    for (let n = 0; n < 10; n++) await addArchive(session, `matter ${n}`)
    await skein.jobs.idle({ session: session.id })
    expect(await session.archives({ all: true })).toHaveLength(10)
    await addArchive(session, 'matter 10')
    await skein.jobs.idle({ session: session.id })
    expect(await listed(session)).toHaveLength(10)
    expect((await session.archives()).at(-1)?.children).toHaveLength(2)
  })

  verifies('M30', 'stays in order however often is merged, and a parent tells the lines of all its sources', async () => {
    const { session, skein } = await archiveRoom(merging(2, 3))
    for (let n = 0; n < 9; n++) {
      await addArchive(session, `matter ${n}`)
      await skein.jobs.idle({ session: session.id })
    }
    const after = await session.archives()
    expect(after).toHaveLength(2)
    const [latest, parent] = after
    expect(latest?.abstract).toContain('matter 8')
    expect(latest?.children).toBeUndefined()
    const [head, , ...lines] = parent?.overview.split('\n') ?? []
    expect(head).toBe('Merged from 8 archives (16 messages).')
    expect(lines.map(line => /matter (\d)\.\.\. → [^|]*$/.exec(line)?.[1])).toEqual([...'01234567'])
    expect([...(parent?.abstract ?? '')].length).toBeLessThanOrEqual(100)
    const ranges = after.map(({ fromSeq, toSeq }) => [fromSeq, toSeq])
    expect(ranges[1]?.[0]).toBe(1)
    expect(ranges[0]?.[0]).toBe((ranges[1]?.[1] ?? 0) + 1)
  })

  it('replaces lines in the middle of an overview that would be too long', async () => {
    const { session, skein } = await archiveRoom(merging(1, 140))
    for (let n = 0; n < 140; n++) {
      await session.append([user(`matter ${n} ${'of many words '.repeat(10)}`)])
      await session.commit()
    }
    await skein.jobs.idle({ session: session.id }, { waitMs: 60_000 })
    const [parent] = await session.archives()
    const lines = parent?.overview.split('\n') ?? []
    expect(lines[0]).toBe('Merged from 140 archives (140 messages).')
    const between = Number(/^- … (\d+) archives between$/.exec(lines.find(line => line.includes('between')) ?? '')?.[1])
    expect(lines.length - 2 - 1 + between).toBe(140)
    expect(parent?.overview.length).toBeLessThanOrEqual(8_000)
    expect(parent?.overview.length).toBeGreaterThan(7_700)
  })

  verifies('M32', 'is stopped by a source that is not ready or cannot be read, and marks nothing', async () => {
    for (const harm of ['unready', 'unreadable'] as const) {
      const { session, place, skein } = await archiveRoom(merging(1, 50))
      const ids: string[] = []
      for (let n = 0; n < 3; n++) ids.push((await addArchive(session, `matter ${n}`)).archive)
      await skein.close()
      const store = (await place.store()).in('default')
      const row = await store.archive(ids[1] ?? '')
      if (row === undefined) throw new Error('There is no archive.')
      const data = harm === 'unready' ? { ...row.data, state: 'sealed' } : { state: 'ready' }
      await store.commit([{ type: 'put_archive', ...row, data, expectVersion: row.version }])
      const before = await store.archives(session.id)
      await store.commit([
        {
          type: 'enqueue',
          job: {
            id: 'job_00000000000000000000000000',
            kind: 'archive.merge',
            key: session.id,
            payload: { session: session.id },
            maxAttempts: 1,
          },
        },
      ])
      const worker = await place.open({ ...merging(1, 2), worker: true })
      await worker.jobs.idle({ kind: 'archive.merge' })
      expect(await store.archives(session.id)).toEqual(before)
      const job = await worker.jobs.get('job_00000000000000000000000000')
      expect(job).toMatchObject(harm === 'unready' ? { state: 'done', result: { merged: false } } : { state: 'parked' })
      // Archives that can't be read are no empty list.
      const again = await worker.sessions.open(session.id)
      expect(await codeOf(again.archives())).toBe(harm === 'unready' ? 'resolved' : 'store.corrupt')
    }
  })

  verifies('M33', 'leaves every entry of all sources behind the parent, and the sources themselves', async () => {
    const { session, skein } = await archiveRoom(merging(1, 5))
    const texts = Array.from({ length: 5_000 }, (_, n) => `entry number ${n};`)
    const sources: string[] = []
    for (let n = 0; n < 5; n++) {
      await session.append(texts.slice(n * 1_000, (n + 1) * 1_000).map(text => user(text)))
      sources.push((await sealed(session.commit())).archive)
    }
    await skein.jobs.idle({ session: session.id }, { waitMs: 60_000 })
    const [parent] = await session.archives()
    expect(parent?.children).toEqual(sources)
    let content = ''
    for (let offset: number | undefined = 0; offset !== undefined;) {
      const page = await session.expand(parent?.id ?? '', { offset, unit: 'chars', limit: 50_000 })
      content += page.content
      offset = page.next?.offset
    }
    expect(content.match(/entry number \d+;/g)).toEqual(texts)
    for (const [n, source] of sources.entries()) {
      expect((await session.archive(source)).state).toBe('merged')
      expect((await session.expand(source)).content).toContain(`entry number ${n * 1_000};`)
    }
  })

  verifies('M33', 'has limits from one on, whole, or the default', async () => {
    const place = await memoryPlace()
    for (const wrong of [0, -1, 1.5, '3'])
      for (const key of ['maxArchives', 'mergeAt'] as const) {
        expect(await codeOf(place.open({ memory: { [key]: wrong as never } }))).toBe('config.invalid')
      }
    for (const fine of [null, undefined, 1]) await place.open({ memory: { maxArchives: fine, mergeAt: fine } as never })
    expect(await codeOf(place.open({ memory: { surprise: 1 } as never }))).toBe('config.invalid')
    expect(await codeOf(place.open({ memory: { commit: { maxTokens: 'many' } } as never }))).toBe('config.invalid')
    expect(await codeOf(place.open({ memory: { archiver: { id: 'x' } } as never }))).toBe('config.invalid')
  })
})
