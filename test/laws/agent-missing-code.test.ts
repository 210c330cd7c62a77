import { isType } from '#journal'
import { scriptedModel } from '#models'
import type { Session } from '#skein'
import { expect } from 'vitest'
import { verifies } from '#verifies'
import { call, gate, type Run, tool } from './agent-talk.ts'
import { onEveryStore, type Place } from './stores.ts'

const underWay = async (run: Run): Promise<void> => {
  for await (const { type } of run) if (type === 'text_delta') return
}
const passes = (id: string, more: object = {}) => ({ id, kind: 'custom' as const, run: () => true, ...more })
const refuses = { on: 'before_call' as const, blocking: true, match: 's*', run: () => undefined }
const save = (saved: string[]) => tool('save', () => saved.push('saved'))

/** A session whose run was left in the midst of its first answer, begun with these options. */
async function left(here: Place, options: object): Promise<Session['id']> {
  const gear = { modelOverride: scriptedModel([{ text: 'half', hang: true }]), tools: [save([])] }
  const session = await (await here.open()).sessions.create(gear)
  await underWay(session.send('go', options))
  await session.close({ graceMs: 1 })
  return session.id
}

onEveryStore('a run whose code died with its process', (place: () => Promise<Place>) => {
  verifies('A33 A45', 'waits, and its plan says what is missing; whoever has it goes on with it', async () => {
    const here = await place()
    const options = {
      gates: [passes('sound'), { id: 'small', kind: 'policy' }],
      hooks: [refuses, { on: 'after_call', run: () => undefined }],
      tools: [tool('launch', () => 'gone')],
    }
    const id = await left(here, options)
    const missing = [
      { kind: 'tool', name: 'launch' },
      { kind: 'gate', name: 'sound' },
      { kind: 'hook', name: 's*' },
    ]
    const poor = await here.open()
    expect(await poor.sessions.recover()).toMatchObject([{ session: id, recovery: { plan: { missing }, run: null } }])
    expect(await (await poor.sessions.open(id)).recover()).toMatchObject({ plan: { missing }, run: null })
    const asked: string[] = []
    const sound = passes('sound', { run: () => (asked.push('gate'), true) })
    const hook = { ...refuses, run: () => void asked.push('hook') }
    const model = scriptedModel([{ calls: [call('save')] }, 'done'])
    const gear = { modelOverride: model, tools: [save([]), ...options.tools], gates: [sound], hooks: [hook] }
    const { plan, run } = await (await (await here.open()).sessions.open(id, gear)).recover({ apply: true })
    expect(plan).not.toHaveProperty('missing')
    expect(await run?.result()).toMatchObject({ status: 'done', reason: 'answered' })
    expect(asked).toEqual(['hook', 'gate'])
  })

  verifies('A45 A47', 'that goes on without it is refused what the hook would have seen, and blocked by the gate', async () => {
    const here = await place()
    const id = await left(here, { gates: [passes('sound'), passes('nice', { requirement: 'optional' })], hooks: [refuses] })
    const saved: string[] = []
    const look = tool('look', () => saved.push('looked'))
    const gear = { modelOverride: scriptedModel([{ calls: [call('save'), call('look')] }, 'done']), tools: [save(saved), look] }
    const session = await (await here.open()).sessions.open(id, gear)
    const result = await (await session.recover({ apply: true, approvals: 'deny' })).run?.result()
    const error = { message: 'required verification blocked: sound' }
    expect(result).toMatchObject({ status: 'blocked', reason: 'gate_blocked', error })
    expect(saved).toEqual(['looked'])
    const decided = (await session.entries({ types: ['policy_decided'] })).filter(entry => isType(entry, 'policy_decided'))
    expect(decided.map(({ data }) => data['code'])).toContain('hook_blocked')
    // The next run is promised nothing of it.
    expect(await session.send('on', { model: scriptedModel(['fine']) }).result()).toMatchObject({ status: 'done' })
  })

  verifies('A45', 'goes by what is no code as it was; an optional gate that is missing changes nothing', async () => {
    const here = await place()
    const id = await left(here, {
      gates: [
        passes('nice', { requirement: 'advisory' }),
        { id: 'never', kind: 'command', command: { command: 'exit 7', cwd: '/' } },
      ],
    })
    const gear = { modelOverride: scriptedModel(['done']), tools: [save([])] }
    const session = await (await here.open()).sessions.open(id, gear)
    const result = await (await session.recover({ apply: true, approvals: 'deny' })).run?.result()
    expect(result).toMatchObject({
      status: 'done_with_concerns',
      error: { message: 'required verification failed: never (exit 7)' },
    })
    const ended = (await session.entries({ types: ['gate_ended'] })).map(({ data }) => data)
    expect(ended).toMatchObject([
      { gate: 'nice', state: 'blocked' },
      { gate: 'never', state: 'failed' },
    ])
  })

  verifies('A33', 'ends where nobody may be asked, and says of what', async () => {
    const here = await place()
    const id = await left(here, { tools: [tool('launch', () => 'gone')], gates: [passes('sound')] })
    const model = scriptedModel(['never'])
    const session = await (await here.open()).sessions.open(id, { modelOverride: model, tools: [save([])] })
    const result = await (await session.recover({ apply: true, approvals: 'end' })).run?.result()
    const message = 'recovery requires user review: code that is not there any more: tool launch, gate sound'
    expect(result).toMatchObject({ status: 'blocked', reason: 'recovery_unsafe', error: { message } })
    expect(model.requests).toEqual([])
  })

  verifies('A34', 'is not taken to have done nothing: a call that has begun and has no tool here is asked for', async () => {
    const here = await place()
    const begun = gate()
    const launch = tool('launch', () => (begun.open(), new Promise(() => undefined)), { replay: 'idempotent' })
    const model = scriptedModel([{ calls: [call('launch')] }])
    const first = await (await here.open()).sessions.create({ modelOverride: model, cancelGraceMs: 0 })
    void first.send('go', { tools: [launch] })
    await begun.promise
    await first.close({ graceMs: 1 })
    const session = await (await here.open()).sessions.open(first.id, { modelOverride: scriptedModel(['done']) })
    const { plan } = await session.recover()
    expect(plan?.effects).toMatchObject([{ tool: 'launch', state: 'pending', action: 'ask' }])
    const { run } = await session.recover({ apply: true, approvals: 'deny' })
    expect(await run?.result()).toMatchObject({ status: 'done' })
    const results = (await session.messages()).flatMap(({ role, parts }) => (role === 'tool' ? parts : []))
    expect(results).toMatchObject([{ status: 'interrupted', output: expect.stringContaining('Outcome unknown') as string }])
  })

  verifies('A20 A45', 'of a turn that waited holds, too, where another process begins it', async () => {
    const here = await place()
    const gear = { modelOverride: scriptedModel([{ text: 'half', hang: true }]) }
    const session = await (await here.open()).sessions.create(gear)
    await underWay(session.send('go'))
    await session.send('later', { delivery: 'next', gates: [passes('sound')] }).receipt
    await session.close({ graceMs: 1 })
    const again = await (await here.open()).sessions.open(session.id, { modelOverride: scriptedModel(['one', 'two']) })
    await (await again.recover({ apply: true })).run?.result()
    const ended = async () => (await again.entries({ types: ['run_ended'] })).map(({ data }) => data)
    await expect.poll(ended).toMatchObject([{ status: 'done' }, { status: 'blocked', reason: 'gate_blocked' }])
  })
})
