import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { type Change, CommitQueue, type Committed, maxGroup, maxGroupBytes, type Outcome, type Waiting } from '#journal'

const put = (key: string, value = ''): Change => ({ type: 'put_record', collection: 'c', key, value })
const committed: Committed = { at: 1, durability: 'none', replayed: false, results: [] }
const done = (group: readonly Waiting[]): Outcome[] => group.map(() => ({ committed }))

/** A queue whose groups are recorded by what they hold, and go through when they are let. */
function recorded(run: (group: readonly Waiting[]) => readonly Outcome[] | Promise<readonly Outcome[]> = done): {
  queue: CommitQueue
  groups: string[][]
} {
  const groups: string[][] = []
  const queue = new CommitQueue(group => {
    groups.push(
      group.map(({ tenant, changes }) => `${tenant}:${changes.map(change => ('key' in change ? change.key : '')).join()}`),
    )
    return run(group)
  })
  return { queue, groups }
}

function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

describe('waiting commits', () => {
  verifies('J19', 'go together: what one turn of the event loop brings is one group, in order', async () => {
    const { queue, groups } = recorded()
    await Promise.all(['a', 'b', 'c'].map(key => queue.commit('t', [put(key)], {})))
    expect(groups).toEqual([['t:a', 't:b', 't:c']])
  })

  verifies('J19', 'gather into the next group while one is under way', async () => {
    const { opened, open } = gate()
    const { queue, groups } = recorded(async group => {
      await opened
      return done(group)
    })
    const first = queue.commit('t', [put('a')], {})
    await expect.poll(() => groups.length).toBe(1)
    const rest = ['b', 'c', 'd'].map(key => queue.commit('t', [put(key)], {}))
    open()
    await Promise.all([first, ...rest])
    expect(groups).toEqual([['t:a'], ['t:b', 't:c', 't:d']])
  })

  verifies(
    'J19',
    `are split after ${maxGroup} members and after ${maxGroupBytes / 2 ** 20} MiB, but a large one goes alone`,
    async () => {
      const many = recorded()
      await Promise.all(Array.from({ length: maxGroup + 1 }, (_, n) => many.queue.commit('t', [put(`${n}`)], {})))
      expect(many.groups.map(group => group.length)).toEqual([maxGroup, 1])
      const large = recorded()
      const half = 'x'.repeat(maxGroupBytes / 2)
      await Promise.all(
        [put('a', half), put('b', half), put('c', half.repeat(3)), put('d')].map(change => large.queue.commit('t', [change], {})),
      )
      expect(large.groups).toEqual([['t:a'], ['t:b'], ['t:c'], ['t:d']])
    },
  )

  verifies('J17 J19', 'are answered one by one: a refused member takes no other with it', async () => {
    const { queue } = recorded(group => group.map((_, n) => (n === 1 ? { error: new Error('no') } : { committed })))
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map(key => queue.commit('t', [put(key)], {})))
    expect(outcomes.map(outcome => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  it('all fail when their group does, and the queue goes on', async () => {
    let broken = true
    const { queue } = recorded(group => {
      if (broken) throw new Error('disk')
      return done(group)
    })
    const outcomes = await Promise.allSettled(['a', 'b'].map(key => queue.commit('t', [put(key)], {})))
    expect(outcomes).toMatchObject([{ reason: { message: 'disk' } }, { reason: { message: 'disk' } }])
    broken = false
    expect(await queue.commit('t', [put('c')], {})).toBe(committed)
  })

  it('without an outcome is a bug that says so', async () => {
    const { queue } = recorded(() => [])
    await expect(queue.commit('t', [put('a')], {})).rejects.toMatchObject({ code: 'skein.bug' })
  })
})

describe('keys in flight', () => {
  verifies('J23', 'one key is never twice under way; other keys and other tenants pass', async () => {
    let under = 0
    let most = 0
    const { queue, groups } = recorded(async group => {
      const mine = group.filter(({ tenant, options }) => tenant === 't' && options.key === 'k').length
      most = Math.max(most, (under += mine))
      await Promise.resolve()
      under -= mine
      return done(group)
    })
    await Promise.all([
      ...Array.from({ length: 5 }, () => queue.commit('t', [put('a')], { key: 'k' })),
      queue.commit('t', [put('b')], { key: 'other' }),
      queue.commit('u', [put('c')], { key: 'k' }),
    ])
    expect(most).toBe(1)
    expect(groups[0]).toEqual(['t:a', 't:b', 'u:c'])
  })

  verifies('J23', 'a second commit goes on when the first was refused', async () => {
    let first = true
    const { queue } = recorded(group => {
      const outcome: Outcome = first ? { error: new Error('no') } : { committed }
      first = false
      return group.map(() => outcome)
    })
    const outcomes = await Promise.allSettled([1, 2].map(() => queue.commit('t', [put('a')], { key: 'k' })))
    expect(outcomes.map(outcome => outcome.status)).toEqual(['rejected', 'fulfilled'])
  })
})

describe('aborting', () => {
  verifies('J26', 'a waiting commit is never taken', async () => {
    const { queue, groups } = recorded()
    const controller = new AbortController()
    const waiting = queue.commit('t', [put('a')], { signal: controller.signal })
    const other = queue.commit('t', [put('b')], {})
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await other
    expect(groups).toEqual([['t:b']])
  })

  verifies('J26', 'a commit that was taken resolves', async () => {
    const { opened, open } = gate()
    const { queue, groups } = recorded(async group => {
      await opened
      return done(group)
    })
    const controller = new AbortController()
    const taken = queue.commit('t', [put('a')], { signal: controller.signal })
    await expect.poll(() => groups.length).toBe(1)
    controller.abort()
    open()
    expect(await taken).toBe(committed)
  })

  it('leaves no listener on a signal that many commits share', async () => {
    const { queue } = recorded()
    const { signal } = new AbortController()
    let listening = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...given: Parameters<typeof add>) => (listening++, add(...given))
    signal.removeEventListener = (...given: Parameters<typeof remove>) => (listening--, remove(...given))
    await Promise.all(['a', 'b', 'c'].map(key => queue.commit('t', [put(key)], { signal })))
    expect(listening).toBe(0)
  })
})

describe('commits with two groups under way', () => {
  const held = () => {
    const gates = new Map<string, ReturnType<typeof gate>>()
    const groups: string[][] = []
    const keysOf = ({ changes }: Waiting): string[] => changes.flatMap(change => ('key' in change ? change.key : []))
    const queue = new CommitQueue(
      async group => {
        const keys = group.flatMap(keysOf)
        groups.push(keys)
        const mine = gate()
        gates.set(keys.join(), mine)
        await mine.opened
        return done(group)
      },
      { most: 2, bonds: waiting => keysOf(waiting).map(key => key.slice(0, 1)) },
    )
    const commit = (key: string): Promise<Committed> => queue.commit('t', [put(key)], {})
    return { queue, groups, commit, land: (keys: string) => gates.get(keys)?.open() }
  }

  it('go beside what they do not depend on, and a third group waits for a place', async () => {
    const { groups, commit, land } = held()
    const first = commit('a1')
    await expect.poll(() => groups).toEqual([['a1']])
    const second = commit('b1')
    await expect.poll(() => groups).toEqual([['a1'], ['b1']])
    const rest = ['c1', 'd1'].map(commit)
    land('b1')
    await second
    await expect.poll(() => groups).toEqual([['a1'], ['b1'], ['c1', 'd1']])
    land('c1,d1')
    await Promise.all(rest)
    land('a1')
    await first
  })

  it('keep their order: what depends on a group under way waits for it, and what depends on that waits, too', async () => {
    const { groups, commit, land, queue } = held()
    const first = commit('a1')
    await expect.poll(() => groups).toEqual([['a1']])
    const both = queue.commit('t', [put('a2'), put('b2')], {})
    const later = commit('b3')
    const free = commit('c1')
    await expect.poll(() => groups).toEqual([['a1'], ['c1']])
    land('a1')
    await first
    await expect.poll(() => groups).toEqual([['a1'], ['c1'], ['a2', 'b2', 'b3']])
    land('c1')
    land('a2,b2,b3')
    const closed = queue.close()
    await Promise.all([both, later, free, closed])
  })

  verifies('J19', 'that come together are at most two groups, of about the same size', async () => {
    const { groups, commit, land } = held()
    const all = Array.from({ length: 100 }, (_, n) => commit(`${String.fromCharCode(0x4e00 + n)}1`))
    await expect.poll(() => groups.map(group => group.length)).toEqual([50, 50])
    for (const group of groups) land(group.join())
    await Promise.all(all)
  })
})

describe('closing', () => {
  it('lets what waits through and refuses what comes', async () => {
    const { queue, groups } = recorded()
    const waiting = queue.commit('t', [put('a')], {})
    const closed = queue.close()
    await expect(queue.commit('t', [put('b')], {})).rejects.toMatchObject({ code: 'store.closed' })
    await Promise.all([waiting, closed])
    expect(groups).toEqual([['t:a']])
  })
})
