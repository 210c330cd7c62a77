import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { isSkeinError } from '#kernel'
import { verifies } from '#verifies'
import type { Io } from './io.ts'
import { processIo } from './io.ts'
import { ClosedPipe, Output } from './output.ts'

class Sink extends Writable {
  text = ''
  readonly isTTY: boolean
  readonly #fails: string | undefined

  constructor(isTTY: boolean, fails?: string) {
    super()
    this.isTTY = isTTY
    this.#fails = fails
  }

  override _write(piece: Buffer, _encoding: string, done: (error?: Error) => void): void {
    if (this.#fails !== undefined) return done(Object.assign(new Error(this.#fails), { code: this.#fails }))
    this.text += piece.toString()
    done()
  }
}

function outputTo(stdout: Sink, env: Io['env'] = {}, quiet = false): { out: Output; stderr: Sink } {
  const stderr = new Sink(stdout.isTTY)
  return { out: new Output({ ...processIo(), stdout, stderr, env }, { json: false, quiet }), stderr }
}

const stored = 'a\u001b[31mred\u0007\u202eback\tz'

describe('stored text', () => {
  it('has nothing in it that a terminal obeys', async () => {
    const sink = new Sink(true)
    const { out, stderr } = outputTo(sink, { NO_COLOR: '1' })
    await out.text(stored)
    await out.line(stored)
    await out.painted(out.paint('cyan', stored))
    out.talk(stored)
    const safe = 'a[31mredback\tz'
    expect([sink.text, stderr.text]).toEqual([`${safe}${safe}\n${safe}\n`, `${safe}\n`])
  })

  it('comes to a program as it is', async () => {
    const sink = new Sink(false)
    await outputTo(sink).out.text(stored)
    expect(sink.text).toBe(stored)
  })
})

describe('colour', () => {
  it.each([
    ['on a terminal', true, {}, '\u001b[36mx\u001b[39m\n'],
    ['not under NO_COLOR', true, { NO_COLOR: '1' }, 'x\n'],
    ['not for a program', false, {}, 'x\n'],
  ])('is there %s', async (_where, terminal, env, expected) => {
    const sink = new Sink(terminal)
    const { out } = outputTo(sink, env)
    await out.painted(out.paint('cyan', 'x'))
    expect(sink.text).toBe(expected)
  })
})

describe('writing', () => {
  verifies('H16', 'to a closed pipe is told apart, and so is everything after it', async () => {
    const { out } = outputTo(new Sink(false, 'EPIPE'))
    await expect(out.line('x')).rejects.toBeInstanceOf(ClosedPipe)
    await expect(out.line('x')).rejects.toBeInstanceOf(ClosedPipe)
  })

  it('to a full disk is store.full', async () => {
    const error: unknown = await outputTo(new Sink(false, 'ENOSPC')).out.line('x').catch((thrown: unknown) => thrown) // prettier-ignore
    expect(isSkeinError(error) && error.code).toBe('store.full')
  })

  it('is not talk; talk is silent when asked to be, and what must be said is not', () => {
    const { out, stderr } = outputTo(new Sink(false), {}, true)
    out.talk('chatter')
    out.say('important')
    expect(stderr.text).toBe('important\n')
  })
})
