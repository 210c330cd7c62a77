import { memoryStore, type Store, type TenantStore } from '#journal'
import { SkeinError } from '#kernel'
import { openSkein } from '#skein'
import { describe, expect, it } from 'vitest'

/** A store whose commits are told as lost: they land, or they don't. */
function forgetful(lands: boolean): Store {
  const store = memoryStore()
  const lose = (tenant: TenantStore): TenantStore => ({
    ...tenant,
    commit: async (changes, options) => {
      if (lands) await tenant.commit(changes, options)
      throw new SkeinError('store.unavailable', 'The connection was lost.')
    },
  })
  return { ...store, in: tenant => lose(store.in(tenant)) }
}

describe('creating over a connection that is lost', () => {
  it('gives the session that is there', async () => {
    const skein = await openSkein({ store: forgetful(true), worker: false })
    const { id } = await skein.sessions.create({ title: 'here' })
    expect((await (await skein.sessions.open(id)).info()).title).toBe('here')
    await skein.close()
  })

  it('says so when it is not', async () => {
    const skein = await openSkein({ store: forgetful(false), worker: false })
    await expect(skein.sessions.create()).rejects.toMatchObject({ code: 'store.unavailable' })
    await skein.close()
  })
})
