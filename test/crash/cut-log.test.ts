import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '#kernel'
import { verifies } from '#verifies'
import { afterAll, describe, expect } from 'vitest'
import { Crew } from './crew.ts'
import { type Line, readDiary, toldBy } from './diary.ts'
import { Judge } from './judge.ts'
import { Ledger } from './ledger.ts'
import { openStage, timeOf } from './stage.ts'

const frame = 24 + 4_096
const header = 32

const folder = mkdtempSync(join(tmpdir(), 'skein-log-'))
const crew = new Crew()
afterAll(async () => {
  await crew.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What may lie where a power cut stopped the log from being written: nothing, empty pages, or anything. */
const tails: Readonly<Record<string, (length: number) => Uint8Array>> = {
  nothing: () => new Uint8Array(0),
  zeros: length => new Uint8Array(length),
  noise: length => seededRandom(length).bytes(new Uint8Array(length)),
}

type Acknowledged = Extract<Line, { t: 'ack' }> & { readonly wal: number }

describe('a log that a power cut has shortened', () => {
  verifies('J18 J21 S1', 'still holds, whole, everything that was acknowledged before that length', async () => {
    const file = join(folder, 'store.db')
    const diary = join(folder, 'diary')
    const address = { adapter: 'sqlite', file } as const
    const writer = await crew.next()
    writer.begin({
      address,
      diary,
      now: timeOf(address, 0),
      seed: 5,
      orders: { name: 'cut', inherited: [], common: undefined },
      mode: 'endless',
      killAt: 900,
    })
    expect(await writer.ended).toBe('SIGKILL')
    const lines = readDiary(diary)
    const log = readFileSync(`${file}-wal`)
    const acks = lines.filter((line): line is Acknowledged => line.t === 'ack' && line.wal !== undefined)
    // Nothing was copied out of the log meanwhile: it is the whole story.
    expect(acks.every(({ wal }, index) => wal >= (acks[index - 1]?.wal ?? 0) && wal <= statSync(`${file}-wal`).size)).toBe(true)
    expect(acks.length).toBeGreaterThan(40)

    const lengths = acks
      .filter((_, index) => index % Math.ceil(acks.length / 14) === 0)
      .flatMap(({ wal }) => [wal, wal + 1, wal + 24, wal + frame - 1, wal + frame, Math.floor((wal + log.length) / 2)])
    expect(lengths.some(length => (length - header) % frame === 0)).toBe(true)
    for (const [index, length] of lengths.entries()) {
      const [kind, tail] = Object.entries(tails)[index % 3] as [string, (length: number) => Uint8Array]
      const cut = Math.min(length, log.length)
      const copy = join(folder, `cut-${index}.db`)
      copyFileSync(file, copy)
      writeFileSync(`${copy}-wal`, Buffer.concat([log.subarray(0, cut), tail(log.length - cut)]))
      const ledger = new Ledger()
      const stage = await openStage({ adapter: 'sqlite', file: copy }, timeOf(address, 0))
      try {
        const known = lines.filter(
          line => line.t !== 'ack' || ((line as Acknowledged).wal <= cut && line.effect.durability !== 'relaxed'),
        )
        await new Judge(ledger, stage, toldBy(known)).judge()
        expect({ cut, kind, violations: ledger.violations }).toEqual({ cut, kind, violations: [] })
        expect((await stage.store.check({ deep: true })).findings).toEqual([])
      } finally {
        await stage.close()
      }
      for (const part of [copy, `${copy}-wal`, `${copy}-shm`]) rmSync(part, { force: true })
    }
  })
})
