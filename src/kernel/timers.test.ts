import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { every, manualTimers, wait, within } from '#kernel'

describe('calling back again and again', () => {
  it('goes on until it is stopped, also from within', () => {
    const timers = manualTimers()
    let rung = 0
    const stop = every(timers, 5, () => {
      if (++rung === 2) stop()
    })
    for (let round = 0; round < 4; round++) timers.ring(5)
    expect([rung, timers.count]).toEqual([2, 0])
  })
})

describe('waiting', () => {
  it('ends with its time, with the signal, and at once when that is aborted already', async () => {
    const timers = manualTimers()
    const timed = wait(timers, 5)
    timers.ring(5)
    await timed
    const stop = new AbortController()
    const stopped = wait(timers, 5, stop.signal)
    stop.abort()
    await stopped
    await wait(timers, 5, stop.signal)
    expect(timers.count).toBe(0)
  })
})

describe('giving work its time', () => {
  it('gives what was done in time, and what to do instead when it was not', async () => {
    const timers = manualTimers()
    expect(await within(timers, 5, Promise.resolve('done'), () => 'late')).toBe('done')
    const late = within(timers, 5, new Promise<never>(() => {}), () => 'late')
    timers.ring(5)
    expect(await late).toBe('late')
    const refused = within(timers, 5, new Promise<never>(() => {}), () => {
      throw new Error('too late')
    })
    timers.ring(5)
    await expect(refused).rejects.toThrow('too late')
    expect(timers.count).toBe(0)
  })
})

describe('the real timers', () => {
  const printed = async (program: string): Promise<string> => {
    const timers = fileURLToPath(new URL('./timers.ts', import.meta.url))
    const text = `import { systemTimers, wait } from ${JSON.stringify(timers)}\n${program}`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', text])
    return stdout
  }

  it('keep a process alive for whoever waits', async () => {
    expect(await printed(`await wait(systemTimers, 20)\nconsole.log('waited')`)).toBe('waited\n')
  })

  it('let a process end that nobody waits in', async () => {
    expect(await printed(`systemTimers.after(3_600_000, () => console.log('late'))\nconsole.log('done')`)).toBe('done\n')
  })
})
