import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makePlace, type Place } from './command-line.ts'
import { type SilentModel, startSilentModel } from './silent-model.ts'

let place: Place
let silent: SilentModel
beforeAll(async () => {
  place = makePlace()
  silent = await startSilentModel('Wait for it')
})
afterAll(async () => {
  await place.remove()
  await silent.close()
})

const messagesOf = async (id: string): Promise<number> =>
  (JSON.parse((await place.here(['sessions', 'show', id, '--json'])).stdout) as { messages: number }).messages

describe('a chat', () => {
  it('is a turn per line, ends with its input, and is gone on with by id', async () => {
    const { code, stdout, stderr } = await place.skein(['chat'], { input: 'one\n\ntwo\n' })
    expect([code, stdout]).toEqual([0, 'You said: one\nYou said: two\n'])
    const id = /session (ses_\w+)/.exec(stderr)?.[1] ?? ''
    expect(await messagesOf(id)).toBe(4)
    expect((await place.skein(['chat', id], { input: 'three' })).stdout).toBe('You said: three\n')
    expect((await place.skein(['chat', '--continue'], { input: 'four' })).stdout).toBe('You said: four\n')
    expect(await messagesOf(id)).toBe(8)
  })

  it('goes on after a turn that Ctrl-C cancelled; where nothing runs, Ctrl-C ends it with 130', async () => {
    const going = place.start(['chat', '--model', silent.model], { env: silent.env, open: true })
    going.process.stdin.write('one\n')
    await going.sees(/Wait for it/)
    going.process.kill('SIGINT')
    await going.sees(/\(user cancelled\)/, 'stderr')
    going.process.stdin.write('two\n')
    await silent.asked(2)
    await going.sees(/Wait for it\nWait for it/)
    going.process.kill('SIGINT')
    await going.sees(/\(user cancelled\)[^]*\(user cancelled\)/, 'stderr')
    going.process.kill('SIGINT')
    const { code, stderr } = await going.ended
    expect([code, stderr.match(/cancelled \(user cancelled\)/g)?.length]).toEqual([130, 2])
    expect(await messagesOf(/session (ses_\w+)/.exec(stderr)?.[1] ?? '')).toBe(4)
  })

  it('tells of a turn that was refused and goes on', async () => {
    const { code, stdout, stderr } = await place.skein(['chat', '--model', 'sonnet'], { input: 'hi\n' })
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toContain('Auth failed for anthropic')
  })

  it('in which nothing is said leaves no session behind; the demo model is told of once', async () => {
    const empty = makePlace()
    try {
      expect((await empty.skein(['chat'], { input: '\n' })).code).toBe(0)
      expect((await empty.here(['sessions', 'ls', '--json'])).stdout).toBe('{"items":[]}\n')
      const { stderr } = await empty.skein(['chat'], { input: 'one\ntwo\n' })
      expect(stderr.match(/no language model/g)).toHaveLength(1)
    } finally {
      await empty.remove()
    }
  })

  it('of an unknown session exits 7', async () => {
    expect((await place.skein(['chat', 'nobody'], { input: 'hi\n' })).code).toBe(7)
  })
})
