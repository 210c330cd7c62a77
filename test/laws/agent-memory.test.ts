import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { tool } from './agent-talk.ts'
import { sqlitePlace } from './stores.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

describe('memory', () => {
  it('is flat over a thousand runs', async () => {
    const skein = await (await sqlitePlace()).open({ tools: [tool('look', () => 'nothing')] })
    const talk = async (sessions: number): Promise<void> => {
      for (let n = 0; n < sessions; n++) {
        await using session = await skein.sessions.create()
        for (let turn = 0; turn < 2; turn++) expect((await session.send('/call look {}').result()).status).toBe('done')
      }
    }
    const heap = async (): Promise<number> => {
      await new Promise(resolve => setImmediate(resolve))
      collect()
      return process.memoryUsage().heapUsed
    }
    await talk(100)
    const before = await heap()
    await talk(500)
    // A run that stays takes more than 20 kB, so a thousand of them would be 20 MB.
    expect((await heap()) - before).toBeLessThan(6_000_000)
  })
})
