import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifies } from '#verifies'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { begin, freshFile, openStore } from './setting.ts'

const text = (bytes: number): string => 'x'.repeat(bytes)

describe('a full store', () => {
  verifies(
    'J27',
    'the commit that does not fit is store.full and leaves nothing; neighbours that fit succeed; reads go on',
    async () => {
      const store = await openStore(freshFile(), { maxPages: 120, search: 'off' })
      const author = await begin(store)
      const big = { type: 'put_record', collection: 'c', key: 'big', value: text(900_000) } as const
      await expect(author.t.commit([big])).rejects.toMatchObject({ code: 'store.full', retryable: true })
      expect(await author.t.record('c', 'big')).toBeUndefined()
      const outcomes = await Promise.allSettled([
        author.t.commit([author.note('before')]),
        author.t.commit([author.note('half'), big]),
        author.t.commit([big]),
        author.t.commit([author.note('after')]),
      ])
      expect(outcomes.map(outcome => outcome.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
      const entries = await author.t.entries(author.session, { after: 1 })
      expect(entries.map(entry => (entry.data as { text: string }).text)).toEqual(['before', 'after'])
      expect((await store.check({ deep: true })).findings).toEqual([])
    },
  )
})

describe.skipIf(!canMount())('a store on a disk that is full', () => {
  let folder: string
  beforeAll(() => {
    folder = mount()
  })
  afterAll(() => unmount(folder))

  verifies(
    'J27',
    'commits are store.full until space returns, then work again without reopening; what was acknowledged stays',
    async () => {
      const store = await openStore(join(folder, 'store.db'), { search: 'off' })
      const author = await begin(store)
      const ballast = join(folder, 'ballast')
      writeFileSync(ballast, Buffer.alloc(1_500_000))
      let said = 0
      const failure = await (async (): Promise<unknown> => {
        for (; said < 2_000; said++) {
          try {
            await author.say(`${said} ${text(10_000)}`)
          } catch (error) {
            return error
          }
        }
        return undefined
      })()
      expect(failure).toMatchObject({ code: 'store.full' })
      expect((await author.t.session(author.session))?.seq).toBe(said + 1)
      const group = await Promise.allSettled(
        ['a', 'b', 'c'].map(name => author.t.commit([{ type: 'put_record', collection: 'c', key: name, value: text(400_000) }])),
      )
      for (const outcome of group) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'store.full' } })
      }
      expect(await author.t.entries(author.session, { limit: 1_000 })).toHaveLength(said + 1)
      rmSync(ballast)
      await author.say('there is room again')
      expect((await author.t.session(author.session))?.seq).toBe(said + 2)
      expect((await store.check({ deep: true })).findings).toEqual([])
      await store.close()
    },
  )
})

it('says aloud when a full disk could not be had', () => {
  if (!canMount()) console.warn('skipped: no right to mount a small file system')
})

function mount(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skein-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder], { stdio: 'ignore' })
  return folder
}

function unmount(folder: string): void {
  execFileSync('umount', [folder], { stdio: 'ignore' })
  rmdirSync(folder)
}

function canMount(): boolean {
  try {
    unmount(mount())
    return true
  } catch {
    return false
  }
}
