import { memoryStore } from '#journal'
import { openSkein } from '#skein'
import { describe, expect, it } from 'vitest'

describe('a context that was asked for before', () => {
  it('shows nothing of entries that were erased since, by whomever', async () => {
    const store = memoryStore()
    const skein = await openSkein({ store, worker: false })
    const session = await skein.sessions.create({ system: 'Be secret.' })
    const { entries } = await session.append([
      { role: 'user', content: 'the secret word' },
      { role: 'assistant', content: 'fine' },
    ])
    expect(JSON.stringify(await session.context())).toContain('secret word')
    await store
      .in('default')
      .commit([{ type: 'erase_entries', session: session.id, seqs: [1, ...entries.slice(0, 1).map(({ seq }) => seq)] }])
    const after = JSON.stringify(await session.context())
    expect(after).not.toContain('secret')
    expect(after).toContain('fine')
    expect((await store.check({ deep: true })).findings).toEqual([])
    await skein.close()
  })
})
