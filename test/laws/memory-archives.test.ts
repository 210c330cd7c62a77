import { describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { codeOf } from './compacting-room.ts'
import { onEveryStore } from './stores.ts'

const user = (text: string): object => ({ role: 'user', content: text })
const assistant = (text: string): object => ({ role: 'assistant', content: text })

onEveryStore('sealing what is live', makePlace => {
  verifies('M2 M9', 'counts what is live, and seals nothing where nothing is', async () => {
    const place = await makePlace()
    const skein = await place.open()
    const session = await skein.sessions.create()
    expect(await session.commit()).toEqual({ archived: false, reason: 'empty' })
    await session.append(user('hello'))
    expect(await session.info()).toMatchObject({ liveMessages: 1, liveTurns: 1, archivedTo: 0, commits: 0, lastCommitAt: null })
    await session.append(assistant('hi'))
    const before = await session.info()
    expect(before).toMatchObject({ liveMessages: 2, liveTurns: 1 })
    const sealed = await session.commit()
    expect(sealed).toMatchObject({
      archived: true,
      status: 'sealed',
      fromSeq: 1,
      messages: 2,
      cause: 'manual',
      tokensBefore: before.liveTokens,
      tokensAfter: 0,
    })
    expect(await session.info()).toMatchObject({ liveMessages: 0, liveTurns: 0, liveTokens: 0, commits: 1, archives: 1 })
    expect(await session.commit()).toEqual({ archived: false, reason: 'empty' })
    expect(await codeOf(session.commit({ through: 'ent_00000000000000000000000000' }))).toBe('entry.not_found')
  })

  verifies('M10 M22', 'makes it ready in the background', async () => {
    const place = await makePlace()
    const skein = await place.open({ worker: true })
    const session = await skein.sessions.create()
    for (const text of ['Fix the parser', 'b', 'c', 'd']) await session.append(user(text))
    for (const text of ['e', 'Done, all green']) await session.append(assistant(text))
    const ready = await session.commit({ wait: true })
    expect(ready).toMatchObject({ archived: true, status: 'ready' })
    const [archive] = await session.archives()
    expect(archive).toMatchObject({
      state: 'ready',
      by: 'fallback',
      overview: 'Session with 6 messages (4 from user, 2 from assistant).\n\nStarted with: Fix the parser',
      abstract: 'Fix the parser... → Done, all green',
    })
    const context = await session.context({ view: 'archives', maxTokens: 2_000 })
  })
})
