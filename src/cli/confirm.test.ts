import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { isSkeinError } from '#kernel'
import { verifies } from '#verifies'
import { confirm } from './confirm.ts'
import { type Io, processIo } from './io.ts'

function person(says: string | undefined): Io {
  const terminal = says !== undefined
  const stdin = Object.assign(new PassThrough(), { isTTY: terminal })
  if (says !== undefined) stdin.write(`${says}\n`)
  return { ...processIo(), stdin, stderr: Object.assign(new PassThrough().resume(), { isTTY: terminal }) }
}

const refusal = async (io: Io, yes: boolean): Promise<string | undefined> =>
  await confirm(io, yes, 'Erase it?').then(
    () => undefined,
    (error: unknown) => (isSkeinError(error) ? error.code : String(error)),
  )

describe('asking before something is lost', () => {
  verifies('H17', 'without a terminal it is refused, unless --yes was said', async () => {
    expect(await refusal(person(undefined), false)).toBe('input.invalid')
    expect(await refusal(person(undefined), true)).toBeUndefined()
  })

  it.each([
    ['y', undefined],
    ['YES', undefined],
    ['n', 'input.invalid'],
    ['', 'input.invalid'],
    ['yellow', 'input.invalid'],
  ])('takes %j for its answer', async (says, expected) => {
    expect(await refusal(person(says), false)).toBe(expected)
  })
})
