import { describe, expect, it } from 'vitest'
import { type TreeNode, treeText } from '#session'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { createHandler, type ServerOptions } from './index.ts'

const open = async (options: ServerOptions = {}) => {
  const skein = await openSkein({ store: 'memory:', worker: false })
  const handler = createHandler(skein, options)
  const get = (path: string) => handler(new Request(`http://localhost${path}`))
  const post = (path: string, body: BodyInit, type = 'application/x-ndjson') =>
    handler(
      new Request(`http://localhost${path}`, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
        duplex: 'half',
      } as RequestInit),
    )
  return { skein, get, post, [Symbol.asyncDispose]: () => skein.close() }
}

describe('files', () => {
  verifies('H13', 'a stored HTML blob is an attachment under a sandbox policy, and so is an export', async () => {
    await using server = await open()
    const session = await server.skein.sessions.create()
    const html = '<script>alert(1)</script>'
    const { entries } = await session.append({
      role: 'user',
      parts: [{ type: 'file', mediaType: 'text/html', name: '../../x.html', data: Buffer.from(html) }],
    })
    const blob = (entries[0]?.data as { parts: { blob: string }[] }).parts[0]?.blob ?? ''
    for (const path of [`blobs/${blob}`, 'export', 'export?format=markdown', 'export?format=messages', 'export?format=pi']) {
      const { status, headers } = await server.get(`/v1/sessions/${session.id}/${path}`)
      expect([path, status]).toEqual([path, 200])
      expect(headers.get('content-disposition')).toMatch(/^attachment; filename="[\w.]+"$/)
      expect([
        headers.get('content-security-policy'),
        headers.get('x-content-type-options'),
        headers.get('content-type')?.includes('html'),
      ]).toEqual(['sandbox', 'nosniff', false])
    }
    expect(await (await server.get(`/v1/sessions/${session.id}/blobs/${blob}`)).text()).toBe(html)
    const unknown = `blb_${'0'.repeat(32)}`
    expect((await server.get(`/v1/sessions/${session.id}/blobs/${unknown}`)).status).toBe(404)
    expect((await server.get(`/v1/sessions/${session.id}/blobs/..%2f..%2fetc`)).status).toBe(400)
  })

  it('a bundle goes out and comes in as it is, piece by piece; one that is cut stores nothing', async () => {
    await using server = await open()
    const session = await server.skein.sessions.create({ title: 'kept' })
    for (let n = 0; n < 20; n++) await session.append({ role: 'user', content: `message ${n} ${'x'.repeat(n * 500)}` })
    const bundle = await (await server.get(`/v1/sessions/${session.id}/export`)).text()
    expect(bundle).toBe(await session.export('skein'))
    const pieces = (text: string) => new Blob([text]).stream()
    const again = await server.post('/v1/sessions/import', pieces(bundle))
    expect([again.status, ((await again.json()) as { created: boolean }).created]).toEqual([200, false])
    const fresh = await server.post('/v1/sessions/import?format=skein&as=new', pieces(bundle), 'application/octet-stream')
    expect(fresh.status).toBe(201)
    const { items } = await server.skein.sessions.list()
    expect(items).toHaveLength(2)
    const cut = await server.post('/v1/sessions/import?as=new', pieces(bundle.slice(0, -100)))
    expect([cut.status, ((await cut.json()) as { error: { details: { line: number } } }).error.details.line]).toEqual([
      400,
      expect.any(Number),
    ])
    expect((await server.skein.sessions.list()).items).toHaveLength(2)
    expect((await server.post('/v1/sessions/import', bundle, 'image/png')).status).toBe(415)
  })

  it('an import has a limit of its own, larger than that of other bodies', async () => {
    await using server = await open({ maxBodyBytes: 1_000, maxImportBytes: 20_000 })
    const session = await server.skein.sessions.create()
    await session.append({ role: 'user', content: 'x'.repeat(3_000) })
    const bundle = await session.export('skein')
    expect(bundle.length).toBeGreaterThan(1_000)
    expect((await server.post('/v1/sessions/import?as=new', bundle)).status).toBe(201)
    const tooLong = await server.post('/v1/sessions/import?as=new', new Blob([bundle.trimEnd(), ' '.repeat(20_000)]).stream())
    expect(tooLong.status).toBe(413)
    expect((await server.skein.sessions.list()).items).toHaveLength(2)
  })
})

describe('lists', () => {
  it('messages are the newest 100 unless more are asked for; entries page by seq', async () => {
    await using server = await open()
    const session = await server.skein.sessions.create()
    await session.append(Array.from({ length: 150 }, (_, n) => ({ role: 'user', content: `m${n}` })))
    const json = async (path: string) =>
      (await (await server.get(`/v1/sessions/${session.id}/${path}`)).json()) as {
        items: { id: string; seq: number }[]
        next?: string | number
      }
    const newest = await json('messages')
    expect([newest.items.length, newest.items[0]?.seq, newest.next]).toEqual([100, 52, newest.items[0]?.id])
    const older = await json(`messages?before=${newest.next}`)
    expect([older.items.length, older.items[0]?.seq, older.next]).toEqual([50, 2, undefined])
    expect((await json('conversation?limit=150')).items).toHaveLength(150)
    const seqs: number[] = []
    for (let after: string | number | undefined = 0; after !== undefined;) {
      const page = await json(`entries?limit=60&after=${after}`)
      seqs.push(...page.items.map(item => item.seq))
      after = page.next
    }
    expect(seqs).toEqual(Array.from({ length: 151 }, (_, n) => n + 1))
    expect((await json('entries?types=session_created,leaf_moved')).items.map(item => item.seq)).toEqual([1])
  })

  it('a tree deeper than the stack is told whole', () => {
    const node = (children: TreeNode[]): TreeNode => ({
      id: 'ent_x',
      last: 'ent_x',
      count: 1,
      seq: 1,
      type: 'message_added',
      preview: 'p',
      label: null,
      onBranch: true,
      isLeaf: false,
      children,
    })
    const small = node([node([]), node([node([]), node([])])])
    expect(JSON.parse(treeText(small))).toEqual(small)
    let deep = node([])
    for (let depth = 0; depth < 100_000; depth++) deep = node([deep])
    expect(() => JSON.stringify(deep)).toThrow(RangeError)
    expect(treeText(deep).split('"id"')).toHaveLength(100_002)
  })
})
