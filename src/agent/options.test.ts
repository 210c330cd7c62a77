import { type ModelPort, scriptedModel } from '#models'
import { openSkein, type Session, type Skein } from '#skein'
import { afterEach, describe, expect } from 'vitest'
import { verifies } from '#verifies'

const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
})

async function open(): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false })
  opened.push(skein)
  return skein
}

type Call = (options: never) => unknown
/** Every verb of a session that takes options, with arguments that are fine. */
const verbsOf = (session: Session, entry: string): Record<string, Call> => ({
  append: options => session.append({ role: 'user', content: 'x' }, options),
  record: options => session.record({ user: 'a', assistant: 'b' }, options),
  context: options => session.context(options),
  messages: options => session.messages(options),
  conversation: options => session.conversation(options),
  entries: options => session.entries(options),
  moveTo: options => session.moveTo(entry as never, options),
  fork: options => session.fork(options),
  label: options => session.label(entry as never, 'x', options),
  rename: options => session.rename('x', options),
  annotate: options => session.annotate({ tags: ['x'] }, options),
  'marks of annotate': options => session.annotate(options),
  addCustom: options => session.addCustom({ name: 'x' }, options),
  'entry of addCustom': options => session.addCustom(options),
  hold: options => session.hold('x', options),
  release: options => session.release('x', options),
  end: options => session.end('x', options),
  reopen: options => session.reopen(options),
  setModel: options => session.setModel('demo/echo', options),
  setThinking: options => session.setThinking('low', options),
  setSystem: options => session.setSystem('x', options),
  setTools: options => session.setTools([], options),
  usage: options => session.usage(options),
  search: options => session.search('x', options),
  events: options => session.events(options).next(),
  send: options => session.send('x', options).result(),
  equip: options => session.equip(options),
  close: options => session.close(options),
})

const verbsOfAll = ({ sessions, jobs }: Skein, id: string): Record<string, Call> => ({
  create: options => sessions.create(options),
  open: options => sessions.open('chat', options),
  orCreate: options => sessions.open('chat', { orCreate: options }),
  latest: options => sessions.latest(options),
  list: options => sessions.list(options),
  search: options => sessions.search('x', options),
  delete: options => sessions.delete(id, options),
  restore: options => sessions.restore(id, options),
  evict: options => sessions.evict(options),
  import: options => sessions.import('pi', '', options),
  'jobs.list': options => jobs.list(options),
  'jobs.idle': options => jobs.idle(options),
})

/** How a call that may throw at once or later ends. */
const endOf = async (call: Call, options: unknown): Promise<unknown> =>
  await new Promise(resolve => resolve(call(options as never)))

describe('options of every verb', () => {
  const wrong: readonly (readonly [unknown, string])[] = [
    [null, ''],
    ['x', ''],
    [[], ''],
    [{ idempotncyKey: 'x' }, 'idempotncyKey'],
  ]
  verifies('H2', 'of a wrong shape or with an unknown member are refused with their path, before any effect', async () => {
    const skein = await open()
    const session = await skein.sessions.create({ modelOverride: scriptedModel(['fine']) })
    const entry = (await session.append({ role: 'user', content: 'hi' })).entries[0]?.id ?? ''
    const { seq } = await session.info()
    for (const [verb, call] of Object.entries({ ...verbsOf(session, entry), ...verbsOfAll(skein, session.id) })) {
      for (const [options, path] of wrong) {
        const told = `${verb} given ${JSON.stringify(options)}`
        await expect(endOf(call, options), told).rejects.toMatchObject({
          code: 'input.invalid',
          details: {
            path: path === '' ? (expect.stringMatching(/^[a-z]+$/i) as string) : (expect.stringContaining(path) as string),
          },
        })
      }
    }
    expect((await session.info()).seq).toBe(seq)
    expect((await skein.sessions.list()).items).toHaveLength(1)
  })

  verifies('H2', 'with a member of a wrong type are refused with its path, before any effect', async () => {
    const skein = await open()
    const session = await skein.sessions.create({})
    const { seq } = await session.info()
    const one = { ...verbsOf(session, session.id), ...verbsOfAll(skein, session.id) }
    const cases: readonly (readonly [string, Record<string, unknown>])[] = [
      ...['append', 'record', 'fork', 'rename', 'hold', 'end', 'send', 'setSystem', 'delete', 'restore', 'import'].flatMap(
        verb => [[verb, { idempotencyKey: 7 }] as const, [verb, { traceId: '' }] as const, [verb, { signal: {} }] as const],
      ),
      ['append', { format: 7 }],
      ['context', { system: 7 }],
      ['context', { facts: 'x' }],
      ['context', { facts: { contextWindow: NaN } }],
      ['context', { facts: { contextWindow: -5 } }],
      ['context', { facts: { maxOutput: 1.5 } }],
      ['context', { maxTokens: 0 }],
      ['messages', { limit: '5' }],
      ['messages', { limit: null }],
      ['messages', { parts: 'some' }],
      ['messages', { before: 'x' }],
      ['entries', { types: 'x' }],
      ['entries', { branch: 1 }],
      ['entries', { after: -1 }],
      ['moveTo', { reason: 7 }],
      ['fork', { at: 'x' }],
      ['marks of annotate', { tags: 'x' }],
      ['entry of addCustom', { name: 7 }],
      ['usage', { by: 'x' }],
      ['usage', { tree: 'yes' }],
      ['search', { limit: 0 }],
      ['events', { after: null }],
      ['events', { types: 'x' }],
      ['send', { idempotencyKey: 0 }],
      ['send', { model: 7 }],
      ['send', { tools: [7] }],
      ['equip', { modelOverride: '1' }],
      ['close', { graceMs: 'x' }],
      ['create', { durable: 'no' }],
      ['create', { system: 7 }],
      ['create', { parent: 7 }],
      ['create', { metadata: 'x' }],
      ['create', { modelOverride: 'x' }],
      ['orCreate', { user: 7 }],
      ['list', { open: 'yes' }],
      ['list', { state: 'gone' }],
      ['list', { sort: 'x' }],
      ['list', { parent: 7 }],
      ['latest', { limit: 1 }],
      ['evict', { idleMs: 'x' }],
      ['evict', { idleMs: 1, id: 7 }],
      ['delete', { erase: 'yes' }],
      ['import', { as: 'old' }],
      ['jobs.list', { state: 'x' }],
      ['jobs.idle', { session: 7 }],
    ]
    for (const [verb, options] of cases) {
      const member = Object.keys(options).length === 1 ? (Object.keys(options)[0] ?? '') : ''
      await expect(endOf(one[verb] as Call, options), `${verb} ${JSON.stringify(options)}`).rejects.toMatchObject({
        code: 'input.invalid',
        details: { path: expect.stringContaining(member) as string },
      })
    }
    await expect(skein.close({ waitMs: 'x' } as never)).rejects.toMatchObject({ code: 'input.invalid' })
    expect((await session.info()).seq).toBe(seq)
  })

  verifies('H2', 'of an opening are refused before a store is opened', async () => {
    const cases: readonly (readonly [unknown, string])[] = [
      [null, 'options'],
      [{ stor: 'memory:' }, 'stor'],
      [{ store: 7 }, 'store'],
      [{ store: 'memory:', sessions: { liveMax: 0 } }, 'sessions.liveMax'],
      [{ store: 'memory:', sessions: { idle: 1 } }, 'sessions.idle'],
      [{ store: 'memory:', models: null }, 'models'],
      [{ store: 'memory:', tools: 'x' }, 'tools'],
      [{ store: 'memory:', worker: 'no' }, 'worker'],
      [{ store: 'memory:', onNotice: {} }, 'onNotice'],
    ]
    for (const [options, path] of cases)
      await expect(openSkein(options as never), path).rejects.toMatchObject({ code: 'input.invalid', details: { path } })
  })

  verifies('H2', 'that are fine, or undefined, are taken as they are', async () => {
    const skein = await open()
    const model: ModelPort = scriptedModel(['fine'])
    const session = await skein.sessions.open('chat', {
      orCreate: { title: undefined as never, tags: ['a'] },
      modelOverride: model,
    })
    expect(await session.send('x', { traceId: 't', idempotencyKey: undefined as never }).result()).toMatchObject({ text: 'fine' })
    expect(await session.messages({ limit: 1 })).toMatchObject({ items: [{ role: 'assistant' }] })
  })
})
