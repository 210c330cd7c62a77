import { describe, expect, it } from 'vitest'
import { manualTimers, systemTimers } from '#kernel'
import type { Session, SkeinOptions } from '#skein'
import { verifies } from '#verifies'
import {
  addArchive,
  archiveRoom,
  assistant,
  call,
  headings,
  overviewWith,
  result,
  scriptedArchiver,
  sealed,
  user,
} from './archive-room.ts'
import { codeOf } from './compacting-room.ts'
import { onEveryStore } from './stores.ts'

type Memory = NonNullable<SkeinOptions['memory']>
const withMemory = (memory: Memory): SkeinOptions => ({ memory: { commit: 'manual', extractor: 'off', ...memory } })

async function newest(session: Session) {
  const [archive] = await session.archives()
  if (archive === undefined) throw new Error('There is no archive.')
  return archive
}

describe('what an archive holds', () => {
  verifies('M20', 'is asked for with the messages in order and what stood before them', async () => {
    const archiver = scriptedArchiver((_, n) => ({ overview: overviewWith(`part of ${n}`), abstract: `abstract ${n}` }))
    const { session } = await archiveRoom(withMemory({ archiver }))
    const { entries } = await session.append([
      user('a', { at: 1_763_683_200_000 }),
      call('c1'),
      result('c1', 'found'),
      assistant('b'),
    ])
    await session.commit({ wait: true })
    await session.append(user('c'))
    await session.commit({ wait: true })
    const [first, second] = archiver.asked
    expect(first?.previous).toEqual({ overview: '', abstract: '' })
    expect(first?.messages.map(({ role, id }) => [role, id])).toEqual(
      entries.map(({ id }, index) => [['user', 'assistant', 'tool', 'assistant'][index], id]),
    )
    expect(first?.messages[0]).toEqual({ role: 'user', text: 'a', id: entries[0]?.id, at: 1_763_683_200_000 })
    expect(first?.messages[2]?.text).toBe('found')
    expect(second?.previous).toEqual({ overview: overviewWith('part of 1'), abstract: 'abstract 1' })
    expect(second?.messages.map(({ text }) => text)).toEqual(['c'])
    expect(await newest(session)).toMatchObject({
      state: 'ready',
      by: 'model',
      abstract: 'abstract 2',
      overview: overviewWith('part of 2'),
    })
  })

  verifies('M20', 'knows of what stood before only on its own branch', async () => {
    const archiver = scriptedArchiver((_, n) => ({ overview: overviewWith(`part of ${n}`), abstract: `abstract ${n}` }))
    const { session } = await archiveRoom(withMemory({ archiver }))
    const { entries } = await session.append([user('a'), assistant('b')])
    await session.commit({ wait: true, through: entries[0]?.id ?? 'ent_' })
    await session.commit({ wait: true })
    await session.moveTo(entries[0]?.id ?? 'ent_')
    await session.append(user('other'))
    await session.commit({ wait: true })
    expect(archiver.asked.map(({ previous }) => previous.abstract)).toEqual(['', 'abstract 1', 'abstract 1'])
  })

  verifies('M21', 'is written by the fallback in the same attempt when its archiver is no good, and says why', async () => {
    const good = { overview: overviewWith('x'), abstract: 'x' }
    const answers: readonly (() => unknown)[] = [
      () => {
        throw new Error('secret words')
      },
      () => ({ ...good, overview: headings.slice(0, 3).join('\n') }),
      () => ({ ...good, abstract: ' \n ' }),
      () => 'prose',
      () => undefined,
    ]
    const notices: { code: string; message: string; traceId?: string }[] = []
    const archiver = scriptedArchiver((_, n) => answers[n - 1]?.())
    const { session, skein } = await archiveRoom({
      ...withMemory({ archiver }),
      onNotice: given => void notices.push(given as never),
    })
    for (const [index] of answers.entries()) {
      await session.append(user(`Ask ${index}`))
      await session.commit({ wait: true, traceId: `trace-${index}` })
      const archive = await newest(session)
      expect(archive).toMatchObject({ state: 'ready', by: 'fallback' })
      expect(archive.why).toMatch(/\w/)
      expect(archive.overview).toContain(`Started with: Ask ${index}`)
    }
    expect((await skein.jobs.list({ kind: 'archive.summarize' })).map(({ attempts }) => attempts)).toEqual(answers.map(() => 1))
    // One notice each, with the trace and without a word of it.
    const told = notices.filter(({ code }) => code === 'archive.fallback')
    expect(told.map(({ traceId }) => traceId)).toEqual(answers.map((_, index) => `trace-${index}`))
    expect(JSON.stringify(notices)).not.toContain('secret words')
  })

  verifies('M21', 'is written by the fallback when its archiver takes longer than 60 s', async () => {
    const late = manualTimers()
    const timers = { after: (ms: number, run: () => void) => (ms === 60_000 ? late : systemTimers).after(ms, run) }
    let aborted = false
    const archiver = scriptedArchiver(async (_asked, _n, signal) => {
      signal.addEventListener('abort', () => (aborted = true))
      await new Promise<never>(() => undefined)
    })
    const { session } = await archiveRoom({ ...withMemory({ archiver }), timers })
    await session.append(user('a'))
    const waiting = session.commit({ wait: true })
    await expect.poll(() => archiver.asked.length).toBe(1)
    late.ring(60_000)
    expect(await waiting).toMatchObject({ status: 'ready' })
    expect(aborted).toBe(true)
    expect(await newest(session)).toMatchObject({
      by: 'fallback',
      why: expect.stringContaining('provider.unavailable') as string,
    })
  })

  it('is read in parts by an archiver that takes less, each with what was written of the one before', async () => {
    const archiver = scriptedArchiver((_, n) => ({ overview: overviewWith(`part ${n}`), abstract: `abstract ${n}` }), {
      maxInputTokens: 60,
    })
    const { session } = await archiveRoom(withMemory({ archiver }))
    const long = Array.from({ length: 60 }, (_, n) => `word${n}`).join(' ')
    await session.append([user('a '.repeat(60)), user(long), user('c')])
    await session.commit({ wait: true })
    expect(archiver.asked.length).toBeGreaterThan(3)
    expect(archiver.asked.map(({ previous }) => previous.abstract)).toEqual(
      archiver.asked.map((_, n) => (n === 0 ? '' : `abstract ${n}`)),
    )
    const said = archiver.asked.flatMap(({ messages }) => messages).map(({ text }) => text)
    expect(said.join('')).toBe(`${'a '.repeat(60)}${long}c`)
    expect((await newest(session)).abstract).toBe(`abstract ${archiver.asked.length}`)
  })

  verifies('M22 M23', 'is written by the fallback to the letter', async () => {
    const { session } = await archiveRoom(withMemory({}))
    const cases: readonly { readonly say: readonly object[]; readonly overview: string; readonly abstract: string }[] = [
      {
        say: [...['Fix the parser', 'b', 'c', 'd'].map(text => user(text)), assistant('e'), assistant('Done, all green')],
        overview: 'Session with 6 messages (4 from user, 2 from assistant).\n\nStarted with: Fix the parser',
        abstract: 'Fix the parser... → Done, all green',
      },
    ]
    for (const { say, overview, abstract } of cases) {
      await session.append(say)
      await session.commit({ wait: true })
      expect(await newest(session)).toMatchObject({
        overview,
        abstract,
        by: 'fallback',
        counts: { user: 4, assistant: 2, tool: 0 },
      })
    }
    const before = 'Fix the parser... → Done, all green'
    // With one before it, and no answer; white space is folded, graphemes stay whole.
    const family = '👨‍👩‍👧‍👦'
    await session.append([user(`  Look\n\tat ${family.repeat(30)}`), call('c1'), result('c1')])
    await session.commit({ wait: true })
    const second = await newest(session)
    const shown = `Look at ${family.repeat(13)}`
    expect(second.overview).toBe(
      `Previous context:\nPrevious abstract: ${before}\n\nSession with 3 messages (1 from user, 1 from assistant).\n\nStarted with: ${shown}...`,
    )
    expect(second.abstract).toBe(`${before} | Look at ${family.repeat(6)}`)
    expect([...second.abstract].length).toBeLessThanOrEqual(100)
    await session.append(result('c2', 'no words of anybody'))
    await session.commit({ wait: true })
    expect((await newest(session)).abstract).toBe('Fix the parser... → Done, all green | Look at | Session with 1 messages')
  })

  verifies('M23', 'has an abstract of one line and at most 100 code points, whoever wrote it', async () => {
    const archiver = scriptedArchiver(() => ({ overview: overviewWith('x'), abstract: ` one\n two\r\n ${'😀'.repeat(200)}` }))
    const { session } = await archiveRoom(withMemory({ archiver }))
    await session.append(user('a'))
    await session.commit({ wait: true })
    const { abstract } = await newest(session)
    expect([...abstract]).toHaveLength(100)
    expect(abstract).toBe(`one two ${'😀'.repeat(92)}`)
  })

  it('has an overview of at most 8,000 characters, cut at the end of a line', async () => {
    const lines = Array.from({ length: 900 }, (_, n) => `- line number ${n}`).join('\n')
    const archiver = scriptedArchiver(() => ({ overview: `${overviewWith('x')}\n${lines}`, abstract: 'x' }))
    const { session } = await archiveRoom(withMemory({ archiver }))
    await session.append(user('a'))
    const done = await sealed(session.commit({ wait: true, maxOverviewChars: 300 }))
    const { overview } = await newest(session)
    expect(overview.length).toBeLessThanOrEqual(8_000)
    expect(overview.length).toBeGreaterThan(7_900)
    expect(overview.split('\n').at(-1)).toMatch(/^- line number \d+$/)
    expect(`${overview}\n`).toContain(`${done.overview ?? '?'}\n`)
    expect(done.overview?.length).toBeLessThanOrEqual(300)
  })

  verifies('M24 M25', 'is measured, and keeps that where it is asked to', async () => {
    const overview = [
      ...headings.slice(0, 3).map(heading => `${heading}\n- none`),
      `${headings[3] ?? ''}\n- \`7f3a9c2\` in /srv/app`,
    ].join('\n')
    for (const quality of ['off', 'job', 'archive'] as const) {
      const archiver = scriptedArchiver(() => ({ overview, abstract: 'x' }))
      const { session, skein } = await archiveRoom(withMemory({ archiver, quality }))
      await session.append(user('See 7f3a9c2, /srv/app, (OPS_12) and 2048.'))
      await session.commit({ wait: true })
      const measured = { anchorRecall: 0.5, invented: 0, sections: 1, score: 75 }
      const archive = await newest(session)
      const [job] = await skein.jobs.list({ kind: 'archive.summarize' })
      if (quality === 'archive') expect(archive.quality).toMatchObject(measured)
      else expect(archive).not.toHaveProperty('quality')
      if (quality === 'off') expect(job?.result).not.toHaveProperty('quality')
      else expect(job?.result).toMatchObject({ quality: measured })
    }
  })

  verifies('M28', 'lists anchors that a model lost, and brings back action items that vanished', async () => {
    const texts = [
      [...headings, '- write the report for Bob', '- [x] call Alice'].join('\n'),
      [...headings, '- water the plants'].join('\n'),
      [...headings.slice(0, 3), '- the report for Bob is written', headings[3] ?? '', '- water the plants'].join('\n'),
    ]
    const archiver = scriptedArchiver((_, n) => ({ overview: texts[n - 1], abstract: 'x' }))
    const { session } = await archiveRoom(withMemory({ archiver }))
    const overviews: string[] = []
    for (const said of ['See 7f3a9c2 in /srv/app, OPS_12 and 2048.', 'nothing', 'nothing']) {
      await session.append(user(said))
      await session.commit({ wait: true })
      overviews.push((await newest(session)).overview)
    }
    expect(overviews[0]).toBe(`${texts[0] ?? ''}\n\n## Anchors\n- 7f3a9c2\n- /srv/app\n- OPS_12\n- 2048`)
    expect(overviews[1]).toBe(`${texts[1] ?? ''}\n- write the report for Bob [restored]`)
    expect(overviews[2]).toBe(texts[2])
  })

  verifies('M27', 'stands for a range of which every entry can be read', async () => {
    const { session } = await archiveRoom(withMemory({}))
    const texts = Array.from({ length: 300 }, (_, n) => `text number ${n} of many`)
    await session.append(texts.map(text => user(text)))
    const { archive } = await sealed(session.commit({ wait: true }))
    let content = ''
    for (let offset: number | undefined = 0; offset !== undefined;) {
      const page = await session.expand(archive, { offset, unit: 'chars', limit: 4_000 })
      expect(page.kind).toBe('archive')
      content += page.content
      offset = page.next?.offset
    }
    expect(texts.filter(text => !content.includes(`${text}\n`))).toEqual([])
    for (const { id } of await session.conversation()) expect(content).toContain(id)
  })

  verifies('M26', 'is listed by its range, newest first, in pages', async () => {
    const { session } = await archiveRoom(withMemory({ maxArchives: 300, mergeAt: 300 }))
    for (let n = 0; n < 53; n++) {
      // Times tell nothing of the order.
      await session.append(user(`m${n}`, { at: 2_000_000_000_000 - n * 1_000 }))
      await session.commit()
    }
    const first = await session.archives()
    expect(first).toHaveLength(50)
    const rest = await session.archives(first.next === undefined ? {} : { cursor: first.next })
    expect(rest).toHaveLength(3)
    expect(rest.next).toBeUndefined()
    const places = [...first, ...rest].map(({ toSeq }) => toSeq)
    expect(places).toEqual(places.toSorted((a, b) => b - a))
    expect(await session.archives({ limit: 200 })).toHaveLength(53)
    for (const limit of [0, 201, 1.5]) expect(await codeOf(session.archives({ limit }))).toBe('input.invalid')
    expect(await codeOf(session.archives({ cursor: 'nowhere' }))).toBe('input.invalid')
  })

  it('counts what an archiver was paid as usage of the session, once', async () => {
    const usage = { inputTokens: 100, outputTokens: 10 }
    const archiver = scriptedArchiver((_, n) => ({
      overview: n === 2 ? 'no headings' : overviewWith('x'),
      abstract: 'x',
      usage,
      cost: 7,
      model: 'a/b',
    }))
    const { session } = await archiveRoom(withMemory({ archiver }))
    for (const text of ['a', 'b']) {
      await session.append(user(text))
      await session.commit({ wait: true })
    }
    const report = await session.usage({ by: 'purpose' })
    expect(report).toMatchObject({ requests: 2, cost: { nano: 14 } })
    expect(JSON.stringify(report)).toContain('"archive"')
  })
})

onEveryStore('archives by a model', makePlace => {
  it('are written in the background and read back in another process', async () => {
    const archiver = scriptedArchiver(() => ({ overview: overviewWith('x'), abstract: 'the abstract' }))
    const { session, place } = await archiveRoom(withMemory({ archiver }), makePlace)
    const done = await addArchive(session, 'it')
    const other = await place.open()
    const [archive] = await (await other.sessions.open(session.id)).archives()
    expect(archive).toMatchObject({
      id: done.archive,
      uri: `skein://default/session/${session.id}/archive/${done.archive}`,
      by: 'model',
      abstract: 'the abstract',
      counts: { user: 1, assistant: 1, tool: 0 },
    })
    expect(archive?.uri).toBe(done.uri)
  })
})
