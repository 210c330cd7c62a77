import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { codeOf } from './agent-talk.ts'
import { fact, learn, say, telling } from './learning-room.ts'
import { onEveryStore } from './stores.ts'

onEveryStore('what learning says', makePlace => {
  it('tells a session which memories changed, and how each range ended', async () => {
    const place = await makePlace()
    const extractor = telling([[fact()], [fact()], new Error('Nobody answers.')])
    const skein = await place.open({ worker: true, memory: { commit: 'manual', extractor } })
    const session = await skein.sessions.create({ user: 'ada' })
    const stop = new AbortController()
    const told: unknown[] = []
    const reading = (async () => {
      for await (const event of session.events({ signal: stop.signal }))
        if (event.type === 'extraction_ended' || event.type === 'memory_changed') told.push(event)
    })()
    for (const [index, text] of ['one', 'two', 'three'].entries()) {
      await say(session, text)
      await skein.memory.extract(session.id)
      await expect.poll(() => told.length).toBe(index + 2)
    }
    stop.abort()
    await reading.catch(() => undefined)
    const ranges = (await skein.memory.ranges()).items.map(({ id }) => id)
    expect(told).toMatchObject([
      {
        type: 'memory_changed',
        session: session.id,
        changes: [{ action: 'add', uri: 'skein://default/user/ada/preference/tea' }],
      },
      { type: 'extraction_ended', session: session.id, range: ranges[0], outcome: 'ok' },
      { type: 'extraction_ended', range: ranges[1], outcome: 'ok' },
      { type: 'extraction_ended', range: ranges[2], outcome: 'failed', failure: 'model' },
    ])
  })

  it('hands the time of the session to the extractor, by commit and by extract', async () => {
    const place = await makePlace()
    const extractor = telling([[]])
    const skein = await place.open({ worker: true, memory: { commit: 'manual', extractor } })
    const session = await skein.sessions.create({ user: 'ada' })
    await say(session, 'yesterday')
    await session.commit({ sessionTime: '2024-02-29T12:00:00+02:00' })
    await skein.jobs.idle({ kind: 'memory.extract' }, { waitMs: 20_000 })
    await say(session, 'today')
    await skein.memory.extract(session.id, { sessionTime: '2024-03-01T00:00:00Z' })
    await skein.jobs.idle({ kind: 'memory.extract' }, { waitMs: 20_000 })
    await say(session, 'tomorrow')
    await learn(skein, session)
    expect(extractor.inputs.map(({ sessionTime }) => sessionTime)).toEqual([
      '2024-02-29T12:00:00+02:00',
      '2024-03-01T00:00:00Z',
      undefined,
    ])
    expect(await codeOf(skein.memory.extract(session.id, { sessionTime: '2024-03-01' }))).toBe('input.invalid')
  })

  it('reads plain sentences in German, French, Spanish and Chinese by rule', async () => {
    const place = await makePlace()
    const skein = await place.open({ worker: true, memory: { commit: 'manual' } })
    const named: Readonly<Record<string, string>> = {
      de: 'Ich heiße Änne.',
      de2: 'Mein Name ist Jörg.',
      fr: 'Je m’appelle Zoé.',
      es: 'Me llamo Íñigo.',
      zh: '我叫小明。',
      zh2: '我的名字是小红。',
    }
    for (const [user, sentence] of Object.entries(named)) {
      const session = await skein.sessions.create({ user })
      await say(session, sentence)
      await learn(skein, session)
    }
    const known = await Promise.all(
      Object.keys(named).map(async user =>
        (await skein.memory.list(user, { categories: ['profile'] })).items.map(one => one.content),
      ),
    )
    expect(known).toEqual([['Änne'], ['Jörg'], ['Zoé'], ['Íñigo'], ['小明'], ['小红']])
  })

  verifies(
    'M5',
    'another tenant’s session, archive, memory, job, receipt and token are as unknown ones, and nothing comes of it',
    async () => {
      const place = await makePlace()
      const skein = await place.open({ worker: true, memory: { commit: 'manual' } })
      const session = await skein.sessions.create({ user: 'ada' })
      await say(session, 'My name is Ada.')
      await learn(skein, session)
      const { token } = await session.prepareCommit()
      const [name] = (await skein.memory.list('ada')).items
      const job = String(name?.source.job)
      const other = skein.in('other')
      const theirs = await other.sessions.create({ user: 'ada' })
      await say(theirs, 'hello')
      expect(await codeOf(theirs.commit({ token }))).toBe('commit.token_invalid')
      expect(await codeOf(other.sessions.open(session.id))).toBe('session.not_found')
      expect(await codeOf(other.memory.extract(session.id))).toBe('session.not_found')
      expect(await codeOf(other.memory.rewind(session.id, 1))).toBe('session.not_found')
      expect(await codeOf(other.memory.history(String(name?.id)))).toBe('memory.not_found')
      expect(await codeOf(other.memory.history(String(name?.uri)))).toBe('memory.not_found')
      expect(await codeOf(other.memory.undo(String(name?.id)))).toBe('memory.not_found')
      expect(await codeOf(other.memory.erase({ memory: String(name?.id) }))).toBe('memory.not_found')
      expect(await codeOf(other.memory.undo({ job }))).toBe('job.not_found')
      expect(await codeOf(other.jobs.retry(job))).toBe('job.not_found')
      expect(await other.jobs.get(job)).toBeNull()
      expect((await other.memory.ranges({ all: true })).items).toEqual([])
      expect((await other.memory.list('ada')).items).toEqual([])
      const sealed = await session.commit({ token, wait: true })
      expect(sealed).toMatchObject({ archived: true })
      expect(await codeOf(other.memory.undo({ archive: sealed.archived ? sealed.archive : '' }))).toBe('archive.not_found')
      const { id } = await skein.memory.undo(String(name?.id))
      expect(await other.memory.receipt(id)).toBeNull()
    },
  )

  it('says of each memory whether the newest turn was shown it', async () => {
    const place = await makePlace()
    const skein = await place.open({ worker: true, memory: { commit: 'manual', inject: true } })
    const first = await skein.sessions.create({ user: 'ada' })
    await say(first, 'I prefer green tea.', 'I dislike loud trains.')
    await learn(skein, first)
    const items = (await skein.memory.list('ada')).items
    const uri = (word: string): string => items.find(({ content }) => content.includes(word))?.uri ?? ''
    const session = await skein.sessions.create({ user: 'ada', model: 'demo/echo' })
    expect(await session.wasInjected(uri('tea'))).toBe(false)
    await session.send('Which tea is it?').result()
    expect([await session.wasInjected(uri('tea')), await session.wasInjected(uri('trains'))]).toEqual([true, false])
  })
})
