import { expect, it } from 'vitest'
import { unlessAborted } from '#kernel'

it('gives what comes first, the answer or the abort, and the abort if it was there before', async () => {
  const stop = new AbortController()
  expect(await unlessAborted(Promise.resolve('done'), stop.signal)).toBe('done')
  await expect(unlessAborted(Promise.reject(new Error('failed')), stop.signal)).rejects.toThrow('failed')
  const waiting = unlessAborted(new Promise<never>(() => {}), stop.signal)
  stop.abort(new Error('stopped'))
  await expect(waiting).rejects.toThrow('stopped')
  await expect(unlessAborted(Promise.resolve('done'), stop.signal)).rejects.toThrow('stopped')
  await expect(unlessAborted(Promise.reject(new Error('failed')), stop.signal)).rejects.toThrow('stopped')
})
