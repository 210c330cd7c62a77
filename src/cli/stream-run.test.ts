import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { SessionEvent } from '#session'
import { processIo } from './io.ts'
import { Output } from './output.ts'
import { exitOfRun, streamRun } from './stream-run.ts'

function collected(): { out: Output; text: () => string } {
  let text = ''
  const stdout = new Writable({
    write(piece: Buffer, _encoding, done) {
      text += piece.toString()
      done()
    },
  })
  return {
    out: new Output(
      { ...processIo(), stdout, stderr: new Writable({ write: (_piece, _encoding, done) => done() }) },
      { json: false, quiet: true },
    ),
    text: () => text,
  }
}

const live = (type: string, text: string): SessionEvent => ({ type, after: 1, n: 1, text }) as unknown as SessionEvent
const durable = (type: string, data: unknown): SessionEvent => ({ type, seq: 1, entry: { data } }) as unknown as SessionEvent
const said = (text: string): SessionEvent => durable('message_added', { role: 'assistant', parts: [{ type: 'text', text }] })
const ended = durable('run_ended', { status: 'done', reason: 'answered' })

async function* of(...events: SessionEvent[]): AsyncGenerator<SessionEvent> {
  yield* events
}

describe('the exit code of a run', () => {
  it.each([
    ['done', 'answered', 0],
    ['failed', 'provider_error', 1],
    ['done_with_concerns', 'output_limit', 3],
    ['blocked', 'step_limit', 4],
    ['needs_user_input', 'approval_open', 5],
    ['failed', 'auth_failed', 6],
    ['cancelled', 'user_cancelled', 130],
  ] as const)('of %s, %s is %i', (status, reason, code) => {
    expect(exitOfRun({ status, reason })).toBe(code)
  })
})

describe('the answer', () => {
  it('is shown once, as it comes, also when the message follows', async () => {
    const { out, text } = collected()
    const end = await streamRun(out, of(live('text_delta', 'Hel'), live('text_delta', 'lo'), said('Hello'), ended), 'text')
    expect([text(), end.text, end.status]).toEqual(['Hello\n', 'Hello', 'done'])
  })

  it('is whole for a reader that missed deltas', async () => {
    const { out, text } = collected()
    await streamRun(out, of(said('All of it'), live('text_delta', 'And '), said('And more'), ended), 'text')
    expect(text()).toBe('All of it\nAnd more\n')
  })

  it('that failed half way stands on a line of its own', async () => {
    const { out, text } = collected()
    await streamRun(
      out,
      of(
        live('text_delta', 'Hal'),
        durable('step_retried', { code: 'provider.truncated' }),
        live('text_delta', 'Whole'),
        said('Whole'),
        ended,
      ),
      'text',
    )
    expect(text()).toBe('Hal\nWhole\n')
  })

  it('of a run that never ended is no success', async () => {
    expect((await streamRun(collected().out, of(), 'text')).status).toBe('failed')
  })
})
