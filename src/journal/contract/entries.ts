import type { Json } from '#kernel'
import { type BranchQuery, type EntriesQuery, type Entry, fetchParts, inlineBytes, isKnown, type NewBlob } from '#journal'
import { anyJson, equal, type Law, numbers, ok, present, refused } from './setting.ts'
import { appendOf, beginningOf, createSession, entryOf, startOfTime, textMessage, Writer } from './writer.ts'

const seqs = (entries: readonly Entry[]): number[] => entries.map(entry => entry.seq)

export function entries(law: Law): void {
  law('J5', 'seq runs 1…n without gaps, from session_created on, also when processes append at once', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const second = (await setting.another()).in(t.tenant)
    await Promise.all(
      numbers(1, 60).map(n =>
        n % 2 === 0
          ? writer.commit(writer.side('custom', { name: 'a', data: n }), writer.side('custom', { name: 'b', data: n }))
          : second.commit([appendOf(writer.session, [writer.side('custom', { name: 'c', data: n })])]),
      ),
    )
    const all = await t.entries(writer.session)
    equal(seqs(all), numbers(1, 91))
    equal(all[0]?.type, 'session_created')
    equal((await t.session(writer.session))?.seq, 91)
  })

  law('J5', 'the answer to an append names where its entries stand', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const [a, b, c] = [writer.message('one'), writer.side('custom', { name: 'x', data: 1 }), writer.message('two')]
    const answer = await writer.commit(a, b, c)
    equal(
      [answer.first, answer.last, answer.ids, answer.leafId, answer.token],
      [2, 4, [a.id, b.id, c.id], c.id, writer.fence.token],
    )
    equal(
      (await t.entries(writer.session)).map(entry => entry.id),
      [writer.root, a.id, b.id, c.id],
    )
  })

  law('J6', 'any JSON value reads back deeply equal: NUL, lone surrogates, __proto__ keys, depth 127', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const proto = JSON.parse('{"__proto__":{"x":1},"a":{"__proto__":null}}') as Json
    // Merging takes null for absent, so what is merged holds none outside lists.
    const plain = JSON.parse('{"__proto__":{"x":{"__proto__":1}}}') as Json
    let deep: Json = 'bottom'
    for (const n of numbers(1, 126)) deep = n % 2 === 0 ? [deep] : { d: deep }
    const text = 'a\u0000b\ud800c\udfff😀'
    const values: Json[] = [null, true, 0, -1.5, '', text, [], {}, anyJson, proto, deep, [[], {}, [null]], { [text]: text }]
    const { session } = writer
    await writer.commit(...values.map(value => writer.side('custom', { name: 'v', data: value })))
    await t.commit([
      ...values.map((value, n) => ({ type: 'put_record', collection: text, key: `${text}${n}`, value, tags: [text] }) as const),
      { type: 'put_route', key: text, value: values, tags: [text], expectVersion: 0 },
      { type: 'put_view', session, name: text, format: 1, seq: 1, data: values },
      { type: 'put_memory', id: 'mem_1', version: 1, owner: text, text, evidence: values, data: { proto } },
      { type: 'put_archive', id: 'arc_1', session, fromSeq: 1, toSeq: 1, data: { proto, text }, expectVersion: 0 },
      { type: 'append', session, entries: [], head: { set: { title: text, tags: [text] }, merge: { values, plain } } },
    ])
    equal(
      (await t.entries(session, { after: 1 })).map(entry => (entry.data as { data: Json }).data),
      values,
    )
    for (const [n, value] of values.entries()) equal((await t.record(text, `${text}${n}`))?.value, value)
    equal((await t.records(text, { tag: text })).items.length, values.length)
    equal((await t.route(text))?.value, values)
    equal((await t.routes({ tag: text })).items.length, 1)
    equal((await t.view(session, text))?.data, values)
    const memory = present((await t.memory('mem_1'))[0])
    equal([memory.owner, memory.text, memory.evidence, memory.data], [text, text, values, { proto }])
    equal((await t.memories({ owner: text })).length, 1)
    equal((await t.archive('arc_1'))?.data, { proto, text })
    const row = present(await t.session(session))
    equal([row.title, row.tags, row.data], [text, [text], { values, plain }])
    equal((await t.sessions({ tag: text })).items.length, 1)
  })

  law('J7', 'an entry of an unknown type or a newer version keeps every field, and alters no count', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const before = present(await t.session(writer.session))
    const future = { ...writer.side('quantum_leapt', { q: 1 }), v: 9, by: 'later', shape: { new: ['field', null] } }
    const newer = { ...writer.side('message_added', { text: 'not parts' }), v: 99, other: 0 }
    await writer.commit(future, newer)
    const stored = await t.entries(writer.session, { after: 1 })
    equal(stored, [
      { ...future, session: writer.session, seq: 2 },
      { ...newer, session: writer.session, seq: 3 },
    ])
    equal(stored.map(isKnown), [false, false])
    const after = present(await t.session(writer.session))
    equal({ ...after, seq: before.seq }, before)
    equal((await t.branch(writer.session)).length, 1)
  })

  law('J8', 'no change but erasing alters a stored entry', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    for (const n of numbers(1, 5)) await writer.say(`said ${n}`, n % 2 === 0 ? 'assistant' : 'user')
    const { session } = writer
    const before = await t.entries(session)
    await writer.moveTo(present(before[2]).id)
    await writer.say('another way')
    await t.commit([
      appendOf(session, [writer.side('session_ended', { reason: 'done' })]),
      { type: 'put_archive', id: 'arc_1', session, fromSeq: 1, toSeq: 3, data: {}, expectVersion: 0 },
      { type: 'put_view', session, name: 'v', format: 1, seq: 3, data: 1 },
      { type: 'release', fence: writer.fence },
    ])
    equal((await t.entries(session)).slice(0, before.length), before)
  })

  law('J9', 'signatures and providerData read back byte for byte', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const providerData = { ' k ': 'v\u2028', list: [1, '1', { a: null }], big: '=+/'.repeat(3_000) }
    const parts = [
      { type: 'reasoning', text: 'hm '.repeat(2_000), signature: 'EqQB/+==\n', redacted: '\ud83d', providerData },
      { type: 'tool_call', callId: 'c', tool: 't', input: { x: 'y'.repeat(5_000) }, providerData },
    ] as const
    const { change } = writer.stowed(parts)
    await t.commit([change])
    const { entries: read, lost } = await fetchParts(t, await t.entries(writer.session, { after: 1 }))
    equal(lost, [])
    equal((read[0]?.data as { parts: unknown }).parts, parts)
  })

  law('J10', 'a path entry becomes the leaf; a side entry moves nothing', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const said = await writer.say('hello')
    const row = present(await t.session(writer.session))
    equal([row.leafId, row.totals], [said, { messages: 1, turns: 0, tokens: 0 }])
    await writer.commit(writer.side('entry_labelled', { entry: said, label: 'x' }))
    equal((await t.session(writer.session))?.leafId, said)
    equal(
      (await t.entries(writer.session)).map(entry => entry.parentId),
      [null, writer.root, null],
    )
  })

  law('J11', 'after a move and an append both branches read whole, and the leaf is the new entry', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const [a, b, c] = [await writer.say('a'), await writer.say('b'), await writer.say('c')]
    await writer.moveTo(a)
    equal(
      (await t.branch(writer.session)).map(entry => entry.id),
      [a, writer.root],
    )
    const d = await writer.say('d')
    const reopened = (await setting.another()).in(t.tenant)
    equal(
      (await reopened.branch(writer.session)).map(entry => entry.id),
      [d, a, writer.root],
    )
    equal(
      (await reopened.branch(writer.session, { from: c })).map(entry => entry.id),
      [c, b, a, writer.root],
    )
    const row = present(await reopened.session(writer.session))
    equal([row.leafId, row.totals.messages], [d, 2])
  })

  law(
    'J12',
    'a leaf that is no entry of the session, and a false expected leaf, are refused and the leaf stays',
    async setting => {
      const { t, ids } = setting
      const writer = await Writer.begin(setting)
      const foreign = await Writer.begin(setting)
      const moved = writer.side('leaf_moved', { to: ids('ent'), reason: 'test' })
      for (const setsLeaf of [ids('ent'), foreign.root])
        await refused(t.commit([writer.append([moved], { head: { setsLeaf } })]), 'entry.not_found', { entry: setsLeaf })
      const expectLeaf = ids('ent')
      await refused(t.commit([writer.append([writer.message('x')], { expectLeaf })]), 'store.conflict', {
        change: 0,
        expected: { leaf: expectLeaf },
        actual: { leaf: writer.root },
      })
      const row = present(await t.session(writer.session))
      equal([row.leafId, row.seq], [writer.root, 1])
      await t.commit([writer.append([moved], { head: {}, expectLeaf: writer.root })])
    },
  )

  law('J5', 'an entry id that the session has already is a conflict; another session may have it', async setting => {
    const { t, ids } = setting
    const writer = await Writer.begin(setting)
    const entry = writer.side('custom', { name: 'x', data: 1 })
    await writer.commit(entry)
    await refused(t.commit([writer.append([entry])]), 'store.conflict', { change: 0 })
    const twice = writer.side('custom', { name: 'y', data: 1 })
    await refused(t.commit([writer.append([twice, twice])]), 'store.conflict', { change: 0 })
    await refused(t.commit([writer.append([twice]), writer.append([twice])]), 'store.conflict', { change: 1 })
    await refused(t.commit([appendOf(ids('ses'), [entry])]), 'session.not_found')
    equal((await t.session(writer.session))?.seq, 2)
    const second = await Writer.begin(setting)
    await second.commit(entry)
    equal((await t.entry(second.session, entry.id))?.session, second.session)
  })

  law('J29', 'a page of entries is what its bounds, types, order and limit say', async setting => {
    const { t, ids } = setting
    const writer = await Writer.begin(setting)
    for (const n of numbers(2, 12))
      await writer.commit(n % 3 === 0 ? writer.side('custom', { name: 'x', data: n }) : writer.message(`${n}`))
    const cases: [EntriesQuery, number[]][] = [
      [{}, numbers(1, 12)],
      [{ after: 0 }, numbers(1, 12)],
      [{ after: 10 }, [11, 12]],
      [{ after: 12 }, []],
      [{ after: 99 }, []],
      [{ before: 3 }, [1, 2]],
      [{ before: 1 }, []],
      [{ before: 0 }, []],
      [{ after: 3, before: 6 }, [4, 5]],
      [{ after: 6, before: 3 }, []],
      [{ limit: 3 }, [1, 2, 3]],
      [{ after: 4, limit: 2 }, [5, 6]],
      [{ order: 'desc', limit: 2 }, [12, 11]],
      [{ order: 'desc', before: 5 }, [4, 3, 2, 1]],
      [{ order: 'desc', before: 5, after: 2 }, [4, 3]],
      [{ order: 'desc', before: 99, limit: 1 }, [12]],
      [{ types: ['custom'] }, [3, 6, 9, 12]],
      [{ types: ['custom'], limit: 2 }, [3, 6]],
      [{ types: ['custom'], after: 3, limit: 2 }, [6, 9]],
      [{ types: ['custom'], order: 'desc', limit: 2 }, [12, 9]],
      [{ types: ['custom', 'session_created'], before: 4 }, [1, 3]],
      [{ types: [] }, []],
      [{ types: ['unheard_of'] }, []],
    ]
    for (const [query, expected] of cases) equal(seqs(await t.entries(writer.session, query)), expected, JSON.stringify(query))
    for (const limit of [0, -1, 1.5]) await refused(t.entries(writer.session, { limit }), 'input.invalid')
    equal(await t.entries(ids('ses')), [])
  })

  law('J29', 'without a limit a page holds 100; larger ones hold what was asked', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    await writer.commit(...numbers(1, 250).map(n => writer.message(`${n}`)))
    equal(seqs(await t.entries(writer.session)), numbers(1, 100))
    equal(seqs(await t.entries(writer.session, { limit: 1_000 })), numbers(1, 251))
    equal(seqs(await t.entries(writer.session, { order: 'desc' })), numbers(152, 251).reverse())
    equal(seqs(await t.branch(writer.session)), numbers(152, 251).reverse())
    equal(seqs(await t.branch(writer.session, { limit: 251 })), numbers(1, 251).reverse())
  })

  law('J11', 'a branch is walked from any entry, newest first, by types and in pages', async setting => {
    const { t, ids } = setting
    const writer = await Writer.begin(setting)
    const all = [writer.root]
    for (const n of numbers(2, 9)) {
      if (n % 4 === 0) {
        const entry = writer.path('turn_started', { index: n / 4 - 1 })
        await writer.commit(entry)
        all.push(entry.id)
      } else all.push(await writer.say(`${n}`))
      await writer.commit(writer.side('custom', { name: 'aside', data: n }))
    }
    const places = async (query: BranchQuery): Promise<number[]> =>
      (await t.branch(writer.session, query)).map(entry => all.indexOf(entry.id) + 1)
    const at = (n: number) => present(all[n - 1])
    equal(await places({}), numbers(1, 9).reverse())
    equal(await places({ limit: 3 }), [9, 8, 7])
    equal(await places({ from: at(6), limit: 2 }), [6, 5])
    equal(await places({ from: at(1) }), [1])
    equal(await places({ types: ['turn_started'] }), [8, 4])
    equal(await places({ types: ['turn_started'], limit: 1 }), [8])
    equal(await places({ types: ['turn_started', 'session_created'], from: at(7) }), [4, 1])
    equal(await places({ types: [] }), [])
    equal(await places({ from: ids('ent') }), [])
    equal(await t.branch(ids('ses')), [])
    await refused(t.branch(writer.session, { limit: 0 }), 'input.invalid')
  })

  law('J29', 'an entry is found by its id in its own session only', async setting => {
    const { t, ids } = setting
    const writer = await Writer.begin(setting)
    const second = await Writer.begin(setting)
    const said = await writer.say('here', 'user', { by: 'user', at: startOfTime + 5, traceId: 'trace', tokens: 7 })
    const entry = present(await t.entry(writer.session, said))
    equal([entry.by, entry.at, entry.traceId, entry.tokens, entry.totals?.tokens], ['user', startOfTime + 5, 'trace', 7, 7])
    equal(entry.data, textMessage('here'))
    equal(await t.entry(second.session, said), undefined)
    equal(await t.entry(writer.session, ids('ent')), undefined)
    equal(await t.entry(ids('ses'), said), undefined)
  })

  law('J15', '4,096 bytes stay inline, one more becomes a blob; the same large text is stored once', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const small = writer.stowed([{ type: 'text', text: 'é'.repeat(inlineBytes / 2) }])
    equal(small.blobs, [])
    const large = numbers(1, 20).map(() => writer.stowed([{ type: 'text', text: `${'é'.repeat(inlineBytes / 2)}.` }]))
    await t.commit([small.change, ...large.map(({ change }) => change)])
    const ids = new Set(large.flatMap(({ blobs }) => blobs.map(blob => blob.id)))
    equal(ids.size, 1)
    const [row, ...more] = await t.blobs([...ids, ...ids])
    ok(row !== undefined && more.every(again => again.id === row.id))
    equal([row.bytes.length, row.hash], [inlineBytes + 1, large[0]?.blobs[0]?.hash])
    for (const id of ids) equal(await t.hasBlob(writer.session, id), true)
  })

  law('J15', 'blobs come back as they went in, unknown ones are left out, and put_blob needs no entry', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 7) % 256)
    const [file, empty] = [bytes, new Uint8Array()].map(data =>
      present(writer.stowed([{ type: 'file', mediaType: 'x/y', data }]).blobs[0]),
    ) as [NewBlob, NewBlob]
    await t.commit([
      { type: 'put_blob', blob: file },
      { type: 'put_blob', blob: empty },
      { type: 'put_blob', blob: file },
    ])
    const rows = await t.blobs([file.id, 'blb_00000000000000000000000000000000', empty.id])
    equal(
      new Map(rows.map(row => [row.id, [row.hash, [...row.bytes]]])),
      new Map([file, empty].map(blob => [blob.id, [blob.hash, [...blob.bytes]]])),
    )
    equal(await t.blobs([]), [])
    equal(await t.hasBlob(writer.session, file.id), false)
  })

  law('J16', 'a missing blob loses its own part only', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const parts = [
      { type: 'text', text: 'a'.repeat(5_000) },
      { type: 'text', text: 'b'.repeat(5_000) },
      { type: 'text', text: 'c' },
    ] as const
    const { change, blobs } = writer.stowed(parts)
    await t.commit([{ ...change, blobs: blobs.slice(1) }])
    const { entries: read, lost } = await fetchParts(t, await t.entries(writer.session, { after: 1 }))
    const missing = present(blobs[0]).id
    equal(lost, [missing])
    equal((read[0]?.data as { parts: unknown }).parts, [{ type: 'lost', blob: missing }, parts[1], parts[2]])
  })

  law('J5', 'a session whose first commit was lost may be begun again', async setting => {
    const { t, ids } = setting
    const session = ids('ses')
    const { changes } = beginningOf(ids, session)
    await refused(t.commit([...changes, { type: 'require', that: { route: 'r', version: 1 } }]), 'store.conflict')
    await t.commit([createSession(session)])
    equal((await t.session(session))?.seq, 0)
    await t.commit([appendOf(session, [entryOf(ids, 'session_created', {})])])
    equal((await t.session(session))?.seq, 1)
  })
}
