import { tmpdir } from 'node:os'
import { isSkeinError, newId } from '#kernel'
import { scriptedModel } from '#models'
import type { Skein } from '#skein'
import { describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { onEveryStore } from './stores.ts'

/** The code that a promise rejects with. */
async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return isSkeinError(error) ? error.code : String(error)
  }
  return 'resolved'
}

const turn = (n: number): { user: string; assistant: string } => ({ user: `question ${n}`, assistant: `answer ${n}` })

onEveryStore('sessions', place => {
  verifies('S2', 'records without usage as an estimate that totals leave out', async () => {
    const session = await (await (await place()).open()).sessions.create()
    const recorded = await session.record(turn(1))
    expect(recorded.usageSource).toBe('estimated')
    expect(recorded.usage.inputTokens).toBeGreaterThan(0)
    expect(await session.entries({ types: ['usage_recorded'] })).toEqual([])
    expect((await session.usage()).requests).toBe(0)
    const reported = await session.record({ ...turn(2), usage: { inputTokens: 7, outputTokens: 3 }, cost: 12 })
    expect(reported.usageSource).toBe('reported')
    expect(await session.usage()).toMatchObject({
      requests: 1,
      usage: { inputTokens: 7, outputTokens: 3 },
      cost: { nano: 12, complete: true },
    })
  })

  verifies('S3', 'numbers turns 0, 1, 2 in order, also over branches and reopening', async () => {
    const here = await place()
    const session = await (await here.open()).sessions.create()
    const first = await session.record(turn(0))
    await session.record(turn(1))
    await session.moveTo(first.entries.at(-1)?.id ?? 'ent_')
    expect((await session.record(turn(2))).index).toBe(2)
    await session.close()
    const again = await (await here.open()).sessions.open(session.id)
    expect((await again.record(turn(3))).index).toBe(3)
    const started = await again.entries({ types: ['turn_started'] })
    expect(started.map(entry => (entry.data as { index: number }).index)).toEqual([0, 1, 2, 3])
  })

  verifies('S4 J11', 'shows the branch alone; an abandoned one stays whole in the journal', async () => {
    const here = await place()
    const session = await (await here.open()).sessions.create()
    const { entries } = await session.record(turn(0))
    await session.append([{ role: 'user', content: 'left behind' }])
    await session.moveTo(entries.at(-1)?.id ?? 'ent_')
    const added = await session.append([{ role: 'user', content: 'kept' }])
    for (const view of [await session.messages(), await session.conversation()]) {
      expect(view.map(message => message.parts[0])).toEqual([
        { type: 'text', text: 'question 0' },
        { type: 'text', text: 'answer 0' },
        { type: 'text', text: 'kept' },
      ])
    }
    expect((await session.search('behind')).hits).toHaveLength(1)
    await session.close()
    const again = await (await here.open()).sessions.open(session.id)
    expect((await again.info()).leafId).toBe(added.entries[0]?.id)
    expect(await again.messages()).toHaveLength(3)
  })

  verifies('S5', 'gives concurrent opens one object, and creates once however many ask', async () => {
    const here = await place()
    const [one, two] = [await here.open(), await here.open()]
    const { id } = await one.sessions.create()
    const opened = await Promise.all(Array.from({ length: 20 }, () => one.sessions.open(id)))
    expect(new Set(opened).size).toBe(1)
    const made = await Promise.all(
      [one, two].flatMap(skein => Array.from({ length: 10 }, () => skein.sessions.open('chat-7', { orCreate: {} }))),
    )
    expect(new Set(made.map(session => session.id)).size).toBe(1)
    expect((await one.sessions.list()).items).toHaveLength(2)
  })

  verifies('S6', 'loses nothing by eviction, and a read sees what another handle wrote', async () => {
    const here = await place()
    const [one, two] = [await here.open(), await here.open()]
    const session = await one.sessions.create({ title: 'kept' })
    await session.record(turn(0))
    const before = await session.info()
    expect(await one.sessions.evict({ id: session.id })).toEqual([session.id])
    expect(await session.info()).toEqual(before)
    expect(await one.sessions.open(session.id)).toBe(session)
    const elsewhere = await two.sessions.open(session.id)
    await elsewhere.rename('renamed')
    expect((await session.info()).title).toBe('renamed')
  })

  verifies('S8', 'finds the latest of a folder, never a deleted or foreign one', async () => {
    const here = await place()
    const skein = await here.open()
    const older = await skein.sessions.create({ cwd: tmpdir() })
    here.clock.advance(1_000)
    const newer = await skein.sessions.create({ cwd: tmpdir() })
    await skein.in('other').sessions.create({ cwd: tmpdir() })
    expect((await skein.sessions.latest({ cwd: tmpdir() }))?.id).toBe(newer.id)
    await skein.sessions.delete(newer.id)
    expect((await skein.sessions.latest({ cwd: tmpdir() }))?.id).toBe(older.id)
    await skein.sessions.delete(older.id)
    expect(await skein.sessions.latest({ cwd: tmpdir() })).toBeUndefined()
  })

  verifies('S9', 'keeps no invisible title and cuts long ones between code points', async () => {
    const skein = await (await place()).open()
    for (const blank of ['   ', '\u200b', '\u202e \u2060', '\ufeff'])
      expect((await (await skein.sessions.create({ title: blank })).info()).title).toBeNull()
    const session = await skein.sessions.create()
    expect(await session.rename('😀'.repeat(101))).toEqual({ title: '😀'.repeat(100) })
    expect(await session.rename(`a\n b\u0007${'\t'}c\u202e`)).toEqual({ title: 'a b c' })
    expect((await session.info()).title).toBe('a b c')
  })

  verifies('S10', 'does not count a title or label as a message; the last label wins, null removes', async () => {
    const here = await place()
    const session = await (await here.open()).sessions.create()
    const { entries } = await session.record(turn(0))
    const { lastMessageAt } = await session.info()
    here.clock.advance(60_000)
    const id = entries[1]?.id ?? 'ent_'
    await session.rename('x')
    await session.label(id, 'first')
    await session.label(id, 'second')
    expect((await session.info()).lastMessageAt).toBe(lastMessageAt)
    const labels = async (): Promise<(string | null)[]> => {
      const all: (string | null)[] = []
      const open = [await session.tree()]
      for (const node of open) {
        all.push(node.label)
        open.push(...node.children)
      }
      return all.filter(label => label !== null)
    }
    expect(await labels()).toEqual(['second'])
    await session.label(id, null)
    expect(await labels()).toEqual([])
  })

  verifies('S11 J14', 'sums each request once, and says when a price is unknown', async () => {
    const skein = await (await place()).open()
    const session = await skein.sessions.create()
    await session.record({ ...turn(0), usage: { inputTokens: 10, outputTokens: 1 }, cost: 5 })
    await session.record({ ...turn(1), usage: { inputTokens: 20, outputTokens: 2 } })
    const usage = await session.usage()
    expect(usage).toMatchObject({
      requests: 2,
      usage: { inputTokens: 30, outputTokens: 3 },
      cost: { nano: 5, complete: false, unknownRequests: 1 },
    })
    expect((await session.usage({ by: 'turn' })).by).toHaveLength(2)
    await session.hold('review')
    const fork = await session.fork()
    expect(await fork.usage()).toMatchObject({ requests: 0, usage: { inputTokens: 0 } })
    expect(await fork.info()).toMatchObject({ holds: [], running: null, turns: 2 })
    expect((await fork.usage({ by: 'model' })).by).toEqual([])
    await fork.record({ ...turn(2), usage: { inputTokens: 1 }, cost: 1 })
    expect(await fork.usage()).toMatchObject({ requests: 1, cost: { nano: 1, complete: true } })
    expect((await session.usage()).requests).toBe(2)
  })

  verifies(
    'S12',
    'hides a deleted session from every verb but restore, which brings back all; not after 30 days, nor an erase',
    async () => {
      const here = await place()
      const skein = await here.open()
      const session = await skein.sessions.create({ title: 'gone' })
      await session.record(turn(0))
      const before = await session.messages()
      await skein.sessions.delete(session.id)
      expect(await skein.sessions.has(session.id)).toBe(false)
      for (const verb of [
        () => skein.sessions.open(session.id),
        () => skein.sessions.delete(session.id),
        () => session.info(),
        () => session.append([{ role: 'user', content: 'x' }]),
      ]) {
        expect(['session.not_found', 'session.closed']).toContain(await codeOf(verb()))
      }
      expect((await skein.sessions.search('question')).hits).toEqual([])
      expect((await skein.sessions.list()).items).toEqual([])
      here.clock.advance(30 * 86_400_000 - 1)
      const back = await skein.sessions.restore(session.id)
      expect(await back.messages()).toEqual(before)
      await skein.sessions.delete(session.id)
      here.clock.advance(30 * 86_400_000)
      expect(await codeOf(skein.sessions.restore(session.id))).toBe('session.not_found')
      const other = await skein.sessions.create()
      await other.record(turn(1))
      expect(await skein.sessions.delete(other.id, { erase: true })).toMatchObject({ entries: 6 })
      expect(await codeOf(skein.sessions.restore(other.id))).toBe('session.not_found')
    },
  )

  verifies('S15', 'refuses to extend an ended session until it is reopened', async () => {
    const session = await (await (await place()).open()).sessions.create()
    await session.end('finished')
    expect(await codeOf(session.append([{ role: 'user', content: 'x' }]))).toBe('session.ended')
    expect(await codeOf(session.record(turn(0)))).toBe('session.ended')
    await session.rename('still allowed')
    await session.reopen()
    await session.append([{ role: 'user', content: 'x' }])
    const types = (await session.entries()).map(entry => entry.type)
    expect(types).toEqual(['session_created', 'session_ended', 'session_titled', 'session_reopened', 'message_added'])
  })

  verifies('S15 J24 J25', 'keeps to a key that there was nothing to end', async () => {
    const session = await (await (await place()).open()).sessions.create()
    await session.end('finished')
    await session.end('again', { idempotencyKey: 'once' })
    await session.reopen()
    await session.end('again', { idempotencyKey: 'once' })
    expect((await session.info()).state).toBe('active')
    expect(await codeOf(session.end('otherwise', { idempotencyKey: 'once' }))).toBe('idempotency.mismatch')
  })

  verifies('S16', 'closes once and for all, and loses nothing by it', async () => {
    const here = await place()
    const skein = await here.open()
    const session = await skein.sessions.create()
    await session.record(turn(0))
    await session.close()
    await session.close()
    for (const verb of [() => session.info(), () => session.messages(), () => session.rename('x'), () => session.record(turn(1))])
      expect(await codeOf(verb())).toBe('session.closed')
    expect(await (await skein.sessions.open(session.id)).messages()).toHaveLength(2)
  })

  verifies('S17 J40', 'lets one of two writers in, and the other once the first is quiet', async () => {
    const here = await place()
    let quiet: (() => void) | undefined
    const timers = {
      after: (ms: number, run: () => void) => {
        if (ms === 2_000) quiet = run
        return () => undefined
      },
    }
    const [one, two] = [await here.open({ timers }), await here.open()]
    const session = await one.sessions.create()
    await session.append([{ role: 'user', content: 'mine' }])
    const other = await two.sessions.open(session.id)
    await expect(other.append([{ role: 'user', content: 'theirs' }])).rejects.toMatchObject({
      code: 'session.busy',
      details: { by: 'lease' },
    })
    await other.rename('side writes pass')
    quiet?.()
    await expect.poll(() => codeOf(other.append([{ role: 'user', content: 'theirs' }]))).toBe('resolved')
    expect((await session.messages()).length).toBeGreaterThanOrEqual(2)
  })

  verifies('S18', "answers another tenant's ids as unknown ones", async () => {
    const skein = await (await place()).open()
    const session = await skein.sessions.create({ id: 'mine' })
    const added = await session.append([
      { role: 'user', content: 'x'.repeat(5_000) },
      { role: 'user', content: 'secret words' },
    ])
    const blob = JSON.stringify((await session.entries({ parts: 'stub' }))[1]?.data).match(/blb_[0-9a-f]+/)?.[0] ?? ''
    const bundle = await session.export('skein')
    const other = skein.in('other')
    const unknown = newId('ses')
    for (const id of [session.id, 'mine', unknown]) {
      expect(await codeOf(other.sessions.open(id))).toBe('session.not_found')
      expect(await other.sessions.has(id)).toBe(false)
      expect(await codeOf(other.sessions.delete(id))).toBe('session.not_found')
      expect(await codeOf(other.sessions.restore(id))).toBe('session.not_found')
    }
    expect((await other.sessions.list()).items).toEqual([])
    expect((await other.sessions.search('secret')).hits).toEqual([])
    const theirs = await other.sessions.create()
    expect(await codeOf(theirs.blob(blob))).toBe('blob.not_found')
    expect(await codeOf(theirs.label(added.entries[0]?.id ?? 'ent_', 'x'))).toBe('entry.not_found')
    const imported = await other.sessions.import('skein', bundle)
    expect(imported).toMatchObject({ created: true, id: session.id })
    await imported.session.rename('theirs now')
    expect((await session.info()).title).toBeNull()
  })

  verifies('S19', 'opens or creates by alias, once, and never by an unknown id', async () => {
    const skein = await (await place()).open()
    const one = await skein.sessions.open('chat-42', { orCreate: { user: 'u1' } })
    const two = await skein.sessions.open('chat-42', { orCreate: { user: 'u2', title: 'other' } })
    expect(two.id).toBe(one.id)
    expect(await two.info()).toMatchObject({ alias: 'chat-42', user: 'u1', title: null })
    expect(await codeOf(skein.sessions.open(newId('ses'), { orCreate: {} }))).toBe('session.not_found')
    expect(await codeOf(skein.sessions.create({ id: 'chat-42' }))).toBe('session.exists')
    expect(await codeOf(skein.sessions.create({ id: 'ses_x' }))).toBe('input.invalid')
  })

  verifies('S20', 'answers an append with one entry per message and the tokens that info tells', async () => {
    const session = await (await (await place()).open()).sessions.create()
    await session.record(turn(0))
    const appended = await session.append([
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'two' },
      { role: 'user', content: [{ type: 'text', text: 'three' }] },
    ])
    expect(appended.entries.map(entry => (entry.data as { parts: { text: string }[] }).parts[0]?.text)).toEqual([
      'one',
      'two',
      'three',
    ])
    const info = await session.info()
    expect(appended).toMatchObject({ seq: info.seq, liveTokens: info.liveTokens, replayed: false })
  })

  verifies('S22', 'awaits close when a block is left by a throw, and shows the first error', async () => {
    const skein = await (await place()).open()
    let inside: Awaited<ReturnType<Skein['sessions']['create']>> | undefined
    const block = async (): Promise<void> => {
      await using session = await skein.sessions.create()
      inside = session
      await session.record(turn(0))
      throw new Error('first')
    }
    await expect(block()).rejects.toThrow('first')
    expect(await codeOf(inside?.info() ?? Promise.resolve())).toBe('session.closed')
  })

  verifies('S23', 'keeps a failing handler from runs and other handlers, and never calls one that left', async () => {
    const notices: string[] = []
    const skein = await (await place()).open({ onNotice: ({ code }) => void notices.push(code) })
    const session = await skein.sessions.create()
    const heard: string[] = []
    session.on('message_added', () => {
      throw new Error('broken')
    })
    session.on('message_added', async () => await Promise.reject(new Error('broken, too')))
    const off = session.on('message_added', () => void heard.push('left'))
    session.on('message_added', () => void heard.push('stayed'))
    await session.append([{ role: 'user', content: 'one' }])
    await expect.poll(() => heard.length).toBe(2)
    off()
    const run = session.send('two')
    expect((await run.result()).status).toBe('done')
    await expect.poll(() => heard.filter(name => name === 'stayed').length).toBe(3)
    expect(heard.filter(name => name === 'left').length).toBe(1)
    await expect.poll(() => notices.filter(code => code === 'handler.failed').length).toBe(6)
  })

  verifies('S24', 'gives in pages what it gives at once', async () => {
    const session = await (await (await place()).open()).sessions.create()
    for (let n = 0; n < 7; n++) await session.record(turn(n))
    const all = await session.messages()
    const joined: unknown[] = []
    let before: (typeof all)[number]['id'] | undefined
    do {
      const page = await session.messages({ limit: 3, ...(before === undefined ? {} : { before }) })
      expect(page.items.length).toBeLessThanOrEqual(3)
      joined.unshift(...page.items)
      before = page.next
    } while (before !== undefined)
    expect(joined).toEqual(all)
    await expect(session.messages({ limit: 0 })).rejects.toMatchObject({ code: 'input.invalid' })
  })

  verifies('J45', 'finds a literal phrase also beyond what of a part is indexed', async () => {
    const session = await (await (await place()).open()).sessions.create()
    await session.append([
      { role: 'user', content: `${'filler '.repeat(20_000)}the needle is here` },
      { role: 'user', content: 'short' },
    ])
    expect((await session.search('needle')).hits).toEqual([])
    const { hits } = await session.search('"the needle is"')
    expect(hits).toMatchObject([{ role: 'user', seq: 2 }])
    expect(hits[0]?.snippet).toContain('needle')
  })

  verifies('J12', 'moves only to path entries that are there, and not during a run', async () => {
    const here = await place()
    const skein = await here.open()
    const gate = Promise.withResolvers<void>()
    const session = await skein.sessions.create({
      modelOverride: scriptedModel([async () => (await gate.promise, { text: 'late' })]),
    })
    const { entries } = await session.record({ ...turn(0), usage: { inputTokens: 1 } })
    const leaf = (await session.info()).leafId
    expect(await codeOf(session.moveTo(newId('ent')))).toBe('entry.not_found')
    expect(await codeOf(session.moveTo('ent_x'))).toBe('input.invalid')
    const side = entries.find(entry => entry.type === 'usage_recorded')
    expect(await codeOf(session.moveTo(side?.id ?? 'ent_'))).toBe('input.invalid')
    expect((await session.info()).leafId).toBe(leaf)
    const run = session.send('wait')
    const { runId } = await run.receipt
    await expect(session.moveTo(entries[0]?.id ?? 'ent_')).rejects.toMatchObject({
      code: 'session.busy',
      details: { by: 'run', run: runId },
    })
    gate.resolve()
    expect((await run.result()).text).toBe('late')
  })

  verifies('J13', 'forks entries as they are; later writes to either stay apart', async () => {
    const session = await (await (await place()).open()).sessions.create({ title: 'source', system: 'Be brief.' })
    await session.record({ user: 'x'.repeat(5_000), assistant: 'a', usage: { inputTokens: 1 } })
    const { entries } = await session.record(turn(1))
    await session.setModel('demo/echo')
    const fork = await session.fork({ at: entries[0]?.id ?? 'ent_', title: 'branch' })
    const strip = (list: readonly { session: string }[]): unknown[] => list.map(({ session: _session, ...rest }) => rest)
    const n = entries[0]?.seq ?? 0
    expect(strip(await fork.entries({ before: n + 1 }))).toEqual(strip(await session.entries({ before: n + 1 })))
    expect(await fork.info()).toMatchObject({ title: 'branch', model: null, leafId: entries[0]?.id })
    expect((await fork.context()).system).toBe('Be brief.')
    await fork.append([{ role: 'user', content: 'only here' }])
    await session.append([{ role: 'user', content: 'only there' }])
    expect((await fork.messages()).map(message => message.parts[0])).not.toContainEqual({ type: 'text', text: 'only there' })
    expect((await session.messages()).map(message => message.parts[0])).not.toContainEqual({ type: 'text', text: 'only here' })
    expect((await fork.messages())[0]?.parts[0]).toEqual({ type: 'text', text: 'x'.repeat(5_000) })
  })

  verifies('S13', 'imports what it exports, equal in all but the header', async () => {
    const here = await place()
    const skein = await here.open()
    const session = await skein.sessions.create({
      title: 'whole',
      tags: ['a'],
      metadata: { deep: { a: [1, null, '\u0000\ud800'] } },
    })
    const first = await session.record({ user: 'x'.repeat(9_000), assistant: 'a', usage: { inputTokens: 3 }, cost: 4 })
    await session.moveTo(first.entries[1]?.id ?? 'ent_')
    await session.append([{ role: 'user', parts: [{ type: 'file', mediaType: 'image/png', data: new Uint8Array([1, 2, 3]) }] }])
    await session.label(first.entries[1]?.id ?? 'ent_', 'here')
    const bundle = await session.export('skein')
    const { session: copy, created } = await skein.sessions.import('skein', bundle, { as: 'new' })
    expect(created).toBe(true)
    expect((await copy.export('skein')).split('\n').slice(1)).toEqual(bundle.split('\n').slice(1))
    expect(await copy.messages()).toEqual(await session.messages())
    expect(await copy.tree()).toEqual(await session.tree())
    expect(await copy.usage()).toEqual(await session.usage())
    expect(await copy.info()).toMatchObject({ title: 'whole', tags: ['a'], metadata: { deep: { a: [1, null, '\u0000\ud800'] } } })
    expect(await skein.sessions.import('skein', bundle)).toMatchObject({ created: false, id: session.id })
    expect((await skein.store.check({ deep: true })).findings).toEqual([])
  })

  verifies('S14', 'stores nothing of a bundle that lost, doubled, changed or cut a line, and names it', async () => {
    const here = await place()
    const skein = await here.open()
    const session = await skein.sessions.create()
    for (let n = 0; n < 3; n++) await session.record({ ...turn(n), usage: { inputTokens: 1 } })
    const lines = (await session.export('skein')).trimEnd().split('\n')
    const other = skein.in('other')
    for (const at of [0, 1, 2, Math.floor(lines.length / 2), lines.length - 2, lines.length - 1]) {
      const line = lines[at] ?? ''
      const broken = {
        removed: lines.toSpliced(at, 1),
        doubled: lines.toSpliced(at, 0, line),
        altered: lines.with(
          at,
          line.replace(/\d(?=\D*$)/, digit => String((Number(digit) + 1) % 10)),
        ),
        cut: [...lines.slice(0, at), line.slice(0, Math.floor(line.length / 2))],
      }
      for (const [how, text] of Object.entries(broken)) {
        const error = await other.sessions.import('skein', `${text.join('\n')}${how === 'cut' ? '' : '\n'}`).then(
          () => undefined,
          (thrown: unknown) => thrown,
        )
        expect(error, `${how} at ${at}`).toMatchObject({ code: 'input.invalid', details: { line: expect.any(Number) as number } })
        expect(await other.sessions.has(session.id)).toBe(false)
      }
    }
    expect((await other.sessions.list()).items).toEqual([])
    expect((await other.sessions.import('skein', `${lines.join('\n')}\n`)).created).toBe(true)
  })

  verifies('J7 J8', 'keeps entries of unknown types and leaves stored entries alone', async () => {
    const skein = await (await place()).open()
    const session = await skein.sessions.create()
    await session.record(turn(0))
    const store = skein.store.in('default')
    const future = {
      id: newId('ent'),
      parentId: null,
      type: 'dream_had',
      v: 7,
      at: 5,
      mood: 'blue',
      data: { __proto__x: [1], depth: { a: 1 } },
    }
    const newer = { id: newId('ent'), parentId: null, type: 'session_titled', v: 99, at: 6, data: { title: 'from the future' } }
    await store.commit([{ type: 'append', session: session.id, entries: [future, newer] as never }])
    const info = await session.info()
    expect(info).toMatchObject({ title: null, messages: 2 })
    const before = JSON.stringify(await store.entries(session.id))
    await session.rename('now')
    const { entries } = await session.record(turn(1))
    await session.moveTo(entries[0]?.id ?? 'ent_')
    await session.label(entries[0]?.id ?? 'ent_', 'x')
    const fork = await session.fork()
    expect(JSON.stringify(await store.entries(session.id, { before: info.seq + 1 }))).toBe(before)
    const found = (await fork.entries({ types: ['dream_had', 'session_titled'] })).slice(0, 2)
    const { session: copy } = await skein.sessions.import('skein', await fork.export('skein'), { as: 'new' })
    const again = (await copy.entries({ types: ['dream_had', 'session_titled'] })).slice(0, 2)
    for (const list of [found, again]) expect(list).toMatchObject([future, newer])
  })
})

describe('paging', () => {
  onEveryStore('lists', place => {
    verifies('S7', 'shows each untouched session exactly once, newest first, while others change', async () => {
      const here = await place()
      const skein = await here.open()
      const ids: string[] = []
      for (let n = 0; n < 12; n++) {
        here.clock.advance(10)
        ids.push((await skein.sessions.create()).id)
      }
      const touched = await skein.sessions.open(ids[5] ?? '')
      for (const limit of [1, 5, 200]) {
        const seen: string[] = []
        let cursor: string | undefined
        do {
          const page = await skein.sessions.list({ limit, ...(cursor === undefined ? {} : { cursor }) })
          seen.push(...page.items.map(info => info.id))
          cursor = page.next
          here.clock.advance(1)
          await touched.rename(`busy ${seen.length}`)
        } while (cursor !== undefined)
        const others = seen.filter(id => id !== touched.id)
        expect(others).toEqual(ids.filter(id => id !== touched.id).reverse())
      }
      for (const limit of [0, 201, 1.5]) expect(await codeOf(skein.sessions.list({ limit }))).toBe('input.invalid')
      expect(await codeOf(skein.sessions.list({ cursor: 'nonsense' }))).toBe('input.invalid')
    })
  })
})
