import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileTools } from '#agent'
import { isSkeinError } from '#kernel'
import { type ScriptedModel, scriptedModel } from '#models'
import type { Session } from '#skein'
import { expect } from 'vitest'
import { verifies } from '#verifies'
import { call, codeOf, type Run, tool } from './agent-talk.ts'
import { freshFolder, onEveryStore, type Place } from './stores.ts'

const hanging = (): ScriptedModel => scriptedModel([{ text: 'half', hang: true }])
async function underWay(run: Run): Promise<void> {
  for await (const { type } of run) if (type === 'text_delta') return
}
const named = ({ requests }: ScriptedModel, at: number): string[] =>
  (requests[at]?.tools ?? []).map(({ name }) => name).filter(name => !name.startsWith('session_'))

/** Options of one run, each of which keeps its agent from saving. */
const narrow: readonly object[] = [
  { trust: 'external-untrusted' },
  { mode: 'planner' },
  { autonomy: 'suggest' },
  { policy: { denyTools: ['save'] } },
  { noTools: true },
]

onEveryStore('a run that another process carries on', (place: () => Promise<Place>) => {
  const saving = (saved: string[]) => tool('save', () => saved.push('saved'))

  verifies('A42 A38 A41', 'goes by the trust and the options that it was begun with', async () => {
    for (const options of narrow) {
      const here = await place()
      const session = await (await here.open()).sessions.create({ modelOverride: hanging() })
      const run = session.send('go', options)
      await underWay(run)
      await session.close({ graceMs: 1 })
      const saved: string[] = []
      const model = scriptedModel([{ calls: [call('save')] }, 'done'])
      const gear = { modelOverride: model, tools: [saving(saved)] }
      const revived = await (await here.open()).sessions.open(session.id, gear)
      const recovered = await revived.recover({ apply: true })
      expect((await recovered.run?.result())?.status).toBe('done')
      expect([options, saved]).toEqual([options, []])
      // Of a later run nothing of it holds.
      await revived.send('save it', { model: scriptedModel([{ calls: [call('save')] }, 'done']) }).result()
      expect([options, saved]).toEqual([options, ['saved']])
    }
  })

  verifies('A42 A20', 'begins the turns that wait by what was said with them', async () => {
    for (const options of narrow) {
      const here = await place()
      const session = await (await here.open()).sessions.create({ modelOverride: hanging(), tools: [saving([])] })
      await underWay(session.send('go'))
      await session.send('later', { delivery: 'next', ...options }).receipt
      await session.close({ graceMs: 1 })
      const saved: string[] = []
      const model = scriptedModel(['over', { calls: [call('save')] }, 'done'])
      const gear = { modelOverride: model, tools: [saving(saved)] }
      const revived = await (await here.open()).sessions.open(session.id, gear)
      await (await revived.recover({ apply: true })).run?.result()
      await expect.poll(() => model.requests.length).toBe(3)
      await expect.poll(async () => (await revived.info()).running).toBeNull()
      expect([options, saved, named(model, 0)]).toEqual([options, [], ['save']])
    }
  })

  verifies('A42', 'is trusted again once a user has steered it', async () => {
    const here = await place()
    const session = await (await here.open()).sessions.create({ modelOverride: hanging() })
    const run = session.send('go', { trust: 'external-untrusted' })
    await underWay(run)
    await run.steer('yes, save it')
    await session.close({ graceMs: 1 })
    const saved: string[] = []
    const gear = { modelOverride: scriptedModel([{ calls: [call('save')] }, 'done']), tools: [saving(saved)] }
    const revived = await (await here.open()).sessions.open(session.id, gear)
    await (await revived.recover({ apply: true })).run?.result()
    expect(saved).toEqual(['saved'])
  })

  verifies(
    'A43',
    'has the question that it was left with, which is answered from a third process, and its call runs once',
    async () => {
      const here = await place()
      const ran: string[] = []
      const risky = tool('risky', () => ran.push('risky'), { approval: true })
      const gear = (model: ScriptedModel) => ({ modelOverride: model, tools: [risky], approvals: 'wait' as const })
      const session = await (await here.open()).sessions.create(gear(scriptedModel([{ calls: [call('risky', { n: 1 })] }])))
      const run = session.send('go')
      await expect.poll(async () => (await session.approvals.list()).length).toBe(1)
      const [asked] = await session.approvals.list()
      const id = asked?.id ?? ''
      await session.close({ graceMs: 1 })
      expect((await run.result()).reason).toBe('lease_lost')
      const third: Session = await (await here.open()).sessions.open(session.id)
      expect((await third.approvals.list()).map(approval => approval.id)).toEqual([id])
      await third.approvals.answer(id, { decision: 'allow' })
      expect(ran).toEqual([])
      const second = await (await here.open()).sessions.open(session.id, gear(scriptedModel(['done'])))
      const recovered = await second.recover({ apply: true })
      expect(await recovered.run?.result()).toMatchObject({ status: 'done', text: 'done' })
      expect(ran).toEqual(['risky'])
      expect((await third.approvals.answer(id, { decision: 'allow' })).state).toBe('answered')
      expect(await codeOf(third.approvals.answer(id, { decision: 'deny' }))).toBe('approval.answered')
      expect((await third.entries({ types: ['approval_requested'] })).length).toBe(1)
    },
  )

  verifies('A44', 'asks anew where its policy is another by then', async () => {
    const here = await place()
    const ran: string[] = []
    const risky = tool('risky', () => ran.push('risky'), { approval: true })
    const first = scriptedModel([{ calls: [call('risky', { n: 1 })] }])
    const session = await (await here.open()).sessions.create({ modelOverride: first, tools: [risky], approvals: 'wait' })
    const run = session.send('go')
    await expect.poll(async () => (await session.approvals.list()).length).toBe(1)
    const [asked] = await session.approvals.list()
    await session.close({ graceMs: 1 })
    await run.result()
    const third = await (await here.open()).sessions.open(session.id)
    await third.approvals.answer(asked?.id ?? '', { decision: 'allow' })
    const gear = { modelOverride: scriptedModel(['done']), tools: [risky], approvals: 'wait' as const }
    const policy = { denyWrites: ['secret/**'] }
    const second = await (await here.open()).sessions.open(session.id, { ...gear, policy })
    const recovered = await second.recover({ apply: true })
    await expect.poll(async () => (await third.approvals.list()).length).toBe(1)
    expect(ran).toEqual([])
    const [again] = await third.approvals.list()
    expect(again?.id).not.toBe(asked?.id)
    await third.approvals.answer(again?.id ?? '', { decision: 'allow' })
    await recovered.run?.result()
    expect(ran).toEqual(['risky'])
  })
})

onEveryStore('a session with a run in another process', (place: () => Promise<Place>) => {
  verifies('A6', 'refuses an input with the id of that run, which goes on', async () => {
    const here = await place()
    const session = await (await here.open()).sessions.create({ modelOverride: hanging() })
    const run = session.send('go')
    await underWay(run)
    const other = await (await here.open()).sessions.open(session.id, { modelOverride: scriptedModel(['never']) })
    const refused: unknown = await other
      .send('x')
      .result()
      .catch((error: unknown) => error)
    expect(isSkeinError(refused) && [refused.code, refused.details['by'], refused.details['run']]).toEqual([
      'session.busy',
      'run',
      run.id,
    ])
    expect((await other.info()).running?.run).toBe(run.id)
    await run.cancel()
    expect(await run.result()).toMatchObject({ status: 'cancelled', text: 'half' })
  })

  verifies('A50', 'a fork goes back to what its source kept, also when that was erased', async () => {
    const here = await place()
    const skein = await here.open()
    const cwd = freshFolder()
    writeFileSync(join(cwd, 'b.bin'), Buffer.from([1, 2, 3, 255]))
    const calls = [call('write', { path: 'a.txt', content: 'new' }), call('write', { path: 'b.bin', content: 'x' })]
    const session = await skein.sessions.create({ cwd, tools: fileTools({ cwd }) })
    await session.send('go', { model: scriptedModel([{ calls }, 'done']) }).result()
    const { id } = await session.fork()
    await skein.sessions.delete(session.id, { erase: true })
    await skein.close()
    const fork = await (await here.open()).sessions.open(id, { tools: fileTools({ cwd }) })
    const [first] = (await fork.checkpoints.list()).toSorted((one, other) => one.seq - other.seq)
    const { token } = await fork.checkpoints.preview({ to: first?.checkpoint ?? '' })
    await fork.checkpoints.apply(token)
    expect([existsSync(join(cwd, 'a.txt')), [...readFileSync(join(cwd, 'b.bin'))]]).toEqual([false, [1, 2, 3, 255]])
  })
})
