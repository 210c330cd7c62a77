import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { delegateTool, fileTools, type Tool } from '#agent'
import { type Entry, isType, type Message } from '#journal'
import { type ScriptedModel, scriptedModel } from '#models'
import type { Session, Skein } from '#skein'
import { expect } from 'vitest'

/** Of a tool that was entered: whose session, which tool, which call, under which key. */
export interface Entered {
  readonly call: string
  readonly key: string
}

/** Says what is done next by what it is shown, so that whoever carries the run on hears the same. */
const planner = (): ScriptedModel =>
  scriptedModel(
    Array.from({ length: 40 }, () => ({ messages }: { readonly messages: readonly Message[] }) => {
      const texts = messages.flatMap(({ parts }) => parts.flatMap(part => (part.type === 'text' ? [part.text] : [])))
      const steps = messages.filter(({ role }) => role === 'tool').length
      const usage = { inputTokens: 10, outputTokens: 1 }
      const call = (tool: string, input: object): never => ({ tool, input, callId: `${tool}_${steps}` }) as never
      if (texts[0] === 'dig') return steps === 0 ? { calls: [call('once', { n: 9 })], usage } : { text: 'Dug.', usage }
      const plan = [
        { text: 'First.', calls: [call('look', { n: 1 }), call('once', { n: 2 }), call('same', { n: 3 })] },
        { calls: [call('write', { path: 'a.txt', content: 'A' })] },
        { calls: [call('risky', { n: 4 })] },
        { calls: [call('delegate', { task: 'dig' })] },
      ]
      return { ...(plan[steps] ?? { text: 'Done.' }), usage }
    }),
  )

/** What the run of the story is made with: tools of every kind of replay, one that asks, a file, and a child. */
export function gearOf(
  cwd: string,
  entered: (one: Entered) => void,
): { modelOverride: ScriptedModel; tools: Tool[]; approvals: 'wait' } {
  const make = (name: string, more: object): Tool => ({
    name,
    description: `Does it ${name}.`,
    input: { type: 'object' },
    run: (input, { idempotencyKey }) => {
      const call = `${name} ${(input as { n: number }).n}`
      entered({ call, key: idempotencyKey })
      return `did ${call}`
    },
    ...more,
  })
  return {
    modelOverride: planner(),
    approvals: 'wait',
    tools: [
      make('look', { readOnly: true }),
      make('once', {}),
      make('same', { replay: 'idempotent' }),
      make('risky', { approval: true }),
      ...fileTools({ cwd }).filter(({ name }) => name === 'write'),
      delegateTool(),
    ],
  }
}

/** Says yes to every question of a session, until the returned function is called. */
export function sayYes(session: Session): () => void {
  const stop = new AbortController()
  const answer = async (): Promise<void> => {
    for await (const event of session.events({ after: '0', signal: stop.signal })) {
      if (event.type !== 'approval_requested') continue
      for (const { id } of await session.approvals.list())
        await session.approvals.answer(id, { decision: 'allow' }).catch(() => undefined)
    }
  }
  answer().catch(() => undefined)
  return () => stop.abort()
}

/** A conversation without what differs from run to run. */
export const transcriptOf = (messages: readonly Message[]): string[] =>
  messages.flatMap(({ role, parts }) =>
    parts.flatMap(part => {
      if (part.type === 'text') return [`${role}: ${part.text}`]
      if (part.type === 'tool_call') return [`call ${part.tool} ${JSON.stringify(part.input)}`]
      return part.type === 'tool_result' ? [`${part.tool} ${part.status}`] : []
    }),
  )

/** The same, whatever was done: of what may be done once only nobody can know whether it was. */
const maybe = (line: string): RegExp => {
  const isOnce = /^(once|risky|write) ok$/.test(line)
  return new RegExp(`^${isOnce ? line.replace(' ok', ' (ok|interrupted)') : line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)
}

/** What must be so wherever the process of the story died, once it was carried on. */
export async function expectCarriedOn(
  skein: Skein,
  session: Session,
  rehearsed: readonly string[],
  entered: readonly Entered[],
  cwd: string,
): Promise<void> {
  // Told to the end, as if nothing had been, but for outcomes that nobody knows.
  const told = transcriptOf(await session.conversation())
  expect(told).toHaveLength(rehearsed.length)
  for (const [at, line] of rehearsed.entries()) expect(told[at]).toMatch(maybe(line))
  // What may be done once was done once at the most; what has a key is done again under that key alone.
  const calls = entered.filter(({ call }) => /^(once|risky) /.test(call)).map(({ call }) => call)
  expect(new Set(calls).size).toBe(calls.length)
  expect(new Set(entered.filter(({ call }) => call.startsWith('same ')).map(({ key }) => key)).size).toBe(1)
  for (const [tool, n] of [
    ['once', 2],
    ['risky', 4],
  ] as const)
    if (told.includes(`${tool} ok`)) expect(calls).toContain(`${tool} ${n}`)
  if (told.includes('write ok')) expect(readFileSync(join(cwd, 'a.txt'), 'utf8')).toBe('A')
  const { items } = await skein.sessions.list({ parent: session.id })
  expect(items).toHaveLength(1)
  for (const { id } of [session, ...items]) await expectCounted(await skein.sessions.open(id))
  expect(await skein.sessions.recover()).toEqual([])
}

async function expectCounted(session: Session): Promise<void> {
  const entries: Entry[] = []
  for (
    let page = await session.entries({ limit: 1_000 });
    page.length > 0;
    page = await session.entries({ after: page.at(-1)?.seq ?? 0, limit: 1_000 })
  )
    entries.push(...page)
  expect((await session.info()).running).toBeNull()
  const used = entries.flatMap(entry => (isType(entry, 'usage_recorded') ? [entry.data.requestId] : []))
  const sent = entries.flatMap(entry => (isType(entry, 'step_started') ? [entry.data.requestId] : []))
  expect([...used].sort()).toEqual([...sent].sort())
  expect(new Set(used).size).toBe(used.length)
  for (const type of ['run_started', 'run_ended', 'turn_started', 'turn_ended'])
    expect([type, entries.filter(entry => entry.type === type).length]).toEqual([type, 1])
  // A file that was written was kept before.
  const seqOf = (type: string): number[] => entries.flatMap(entry => (entry.type === type ? [entry.seq] : []))
  for (const settled of seqOf('checkpoint_settled')) expect(seqOf('checkpoint_saved').some(saved => saved < settled)).toBe(true)
  const settled = entries.flatMap(entry =>
    isType(entry, 'effect_settled') ? [`${entry.data.callId} ${entry.data.attempt}`] : [],
  )
  const planned = entries.flatMap(entry =>
    isType(entry, 'effect_planned') ? [`${entry.data.callId} ${entry.data.attempt}`] : [],
  )
  expect([...settled].sort()).toEqual([...planned].sort())
}
