import { describe, expect, it } from 'vitest'
import { type BlobId, blobId, createIds, type EntryId, isSkeinError, seededRandom, sha256 } from '#kernel'
import { type BlobRow, type Entry, inlineBytes, noCounters, noLease, type SessionRow, stowParts } from '#journal'
import { verifies } from '#verifies'
import { type BundleEntry, writeBundle } from './bundle.ts'
import { type BundleItem, readBundle } from './read-bundle.ts'
import type { FormatInput } from './lines.ts'

const at = 1_700_000_000_000

/** A session with a branch, a moved leaf, a large text, a file, an unknown type and texts that UTF-8 cannot hold. */
function sample(id?: SessionRow['id']): { row: SessionRow; entries: Entry[]; rows: Map<BlobId, BlobRow> } {
  const ids = createIds({ clock: { now: () => at }, random: seededRandom(1) })
  const own = ids('ses')
  const session = id ?? own
  const rows = new Map<BlobId, BlobRow>()
  const entries: Entry[] = []
  const add = (type: string, parentId: EntryId | null, data: unknown, more: object = {}): EntryId => {
    const entry = ids('ent')
    entries.push({ id: entry, session, seq: entries.length + 1, parentId, type, v: 1, at, ...more, data })
    return entry
  }
  const stow = (...parts: Parameters<typeof stowParts>[0]): unknown => {
    const stowed = stowParts(parts)
    for (const blob of stowed.blobs) rows.set(blob.id, blob)
    return stowed.parts
  }
  const root = add('session_created', null, { title: null, agent: 'main' })
  const file = { type: 'file', mediaType: 'image/png', data: new Uint8Array([137, 80, 78, 71, 0, 255]) } as const
  const user = add('message_added', root, {
    role: 'user',
    parts: stow({ type: 'text', text: 'x'.repeat(inlineBytes + 1) }, file),
  })
  const signature = '\u0000\ud800 sig\u2028'
  const data = { role: 'assistant', parts: [{ type: 'reasoning', text: 'a', signature, providerData: { a: [null, 1e-7, 'é'] } }] }
  add('message_added', user, data, { totals: { messages: 2, turns: 0, tokens: 9 }, by: 'model' })
  add('from_the_future', null, JSON.parse('{"__proto__":{"a":1},"deep":[[]]}'), { v: 9, unknownField: { kept: true } })
  add('leaf_moved', null, { to: user, reason: 'retry' })
  const leaf = add('message_added', user, { role: 'assistant', parts: stow(file, { type: 'text', text: 'later' }) })
  const row: SessionRow = {
    id: session,
    alias: 'chat-42',
    state: 'active',
    hidden: false,
    title: 'T',
    preview: null,
    user: 'u',
    agent: 'main',
    platform: null,
    cwd: '/w',
    parent: null,
    model: 'a/b',
    tags: ['x'],
    createdAt: at,
    updatedAt: at,
    lastMessageAt: at,
    lastAccessedAt: at,
    seq: entries.length,
    leafId: leaf,
    totals: { messages: 2, turns: 0, tokens: 0 },
    counters: noCounters,
    data: { holds: {} },
    lease: noLease,
  }
  return { row, entries, rows }
}

async function write({ row, entries, rows }: ReturnType<typeof sample>): Promise<string> {
  let text = ''
  for await (const line of writeBundle(row, entries, async ids => ids.flatMap(id => rows.get(id) ?? []))) text += line
  return text
}

async function read(input: FormatInput): Promise<BundleItem[]> {
  const items: BundleItem[] = []
  for await (const item of readBundle(input)) items.push(item)
  return items
}

/** The line that a broken bundle is refused for. */
async function refusedAt(input: FormatInput): Promise<unknown> {
  try {
    const items = await read(input)
    return `accepted with ${items.length} items`
  } catch (error) {
    if (!isSkeinError(error) || error.code !== 'input.invalid') throw error
    return error.details['line']
  }
}

const entriesOf = (items: readonly BundleItem[]): BundleEntry[] =>
  items.flatMap(item => (item.type === 'entry' ? [item.entry] : []))

describe('a bundle', () => {
  verifies('S13 J7 J9', 'gives back entries, blobs and the session row equal', async () => {
    const made = sample()
    const items = await read(await write(made))
    const { lease: _lease, hidden: _hidden, ...header } = made.row
    expect(items[0]).toEqual({ type: 'session', session: header })
    expect(entriesOf(items).map(entry => JSON.stringify(entry))).toEqual(
      made.entries.map(({ session: _, ...entry }) => JSON.stringify(entry)),
    )
    const blobs = items.flatMap(item => (item.type === 'blob' ? [item.blob] : []))
    expect(blobs.map(blob => [blob.id, blob.hash, [...blob.bytes]])).toEqual(
      [...made.rows.values()].map(row => [row.id, row.hash, [...row.bytes]]),
    )
    expect(items.at(-1)?.type).toBe('end')
  })

  verifies('S13', 'of two copies under different ids differs in its header alone', async () => {
    const one = (await write(sample())).split('\n')
    const other = (await write(sample('ses_01HF7YAT00ZZZZZZZZZZZZZZZZ'))).split('\n')
    expect(other[0]).not.toBe(one[0])
    expect(other.slice(1)).toEqual(one.slice(1))
  })

  it('reads equal from any pieces, cut inside characters and lines', async () => {
    const text = await write(sample())
    const whole = await read(text)
    for (const size of [1, 7, 1_000]) {
      const bytes = Buffer.from(text)
      const pieces = (function* (): Generator<Uint8Array> {
        for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
      })()
      expect(await read(pieces)).toEqual(whole)
    }
  })

  it('keeps a blob that the store had lost as lost', async () => {
    const made = sample()
    const [first, second] = [...made.rows.values()]
    if (first === undefined || second === undefined) throw new Error('two blobs were expected')
    made.rows.delete(first.id)
    made.rows.set(second.id, { ...second, bytes: Buffer.from('altered') })
    const items = await read(await write(made))
    expect(items.flatMap(item => (item.type === 'lost' ? [item.blob] : []))).toEqual([first.id, second.id])
  })
})

describe('reading a damaged bundle', () => {
  verifies('S14', 'names the first bad line for any line removed or doubled', async () => {
    const lines = (await write(sample())).split('\n').slice(0, -1)
    const join = (list: readonly string[]): string => list.map(line => `${line}\n`).join('')
    for (let i = 0; i < lines.length; i++) {
      expect(await refusedAt(join(lines.toSpliced(i, 1))), `line ${i + 1} removed`).toBe(i + 1)
      expect(await refusedAt(join(lines.toSpliced(i, 0, lines[i] ?? ''))), `line ${i + 1} doubled`).toBe(i + 2)
      if (i + 1 < lines.length) {
        const swapped = lines.toSpliced(i, 2, lines[i + 1] ?? '', lines[i] ?? '')
        expect(await refusedAt(join(swapped)), `lines ${i + 1} and ${i + 2} swapped`).toBe(i + 1)
      }
    }
  })

  verifies('S14', 'names the altered line for any byte of it', async () => {
    const bytes = Buffer.from(await write(sample()))
    let line = 1
    for (let i = 0; i < bytes.length; i++) {
      const was = bytes[i] ?? 0
      // Long base64 and text runs are sampled; all else is tried byte by byte.
      if (i % 7 !== 0 && i > 2_000 && i < bytes.length - 2_000) {
        if (was === 10) line++
        continue
      }
      for (const byte of [was ^ 1, 0xff, 13]) {
        if (byte === was) continue
        const altered = Buffer.from(bytes)
        altered[i] = byte
        expect(await refusedAt(altered), `byte ${i} of line ${line} as ${byte}`).toBe(line)
      }
      if (was === 10) line++
    }
  })

  verifies('S14', 'names the line that is cut, wherever it is cut', async () => {
    const bytes = Buffer.from(await write(sample()))
    let line = 1
    for (let length = 0; length < bytes.length; length++) {
      if (length % 5 === 0 || bytes[length] === 10 || bytes[length - 1] === 10) {
        expect(await refusedAt(bytes.subarray(0, length)), `cut to ${length} bytes`).toBe(line)
      }
      if (bytes[length] === 10) line++
    }
  })

  it('refuses whatever follows the end, and a byte order mark', async () => {
    const text = await write(sample())
    const lines = text.split('\n').length - 1
    expect(await refusedAt(`${text}\n`)).toBe(lines + 1)
    expect(await refusedAt(`${text} `)).toBe(lines + 1)
    expect(await refusedAt(`\ufeff${text}`)).toBe(1)
    expect(await refusedAt('')).toBe(1)
  })

  it('refuses what a forger with right checksums got wrong, at its line', async () => {
    const forged = async (change: (made: ReturnType<typeof sample>) => void): Promise<unknown> => {
      const made = sample()
      change(made)
      return await refusedAt(await write(made))
    }
    const edit = (index: number, patch: object) => (made: ReturnType<typeof sample>) => {
      made.entries[index] = { ...(made.entries[index] as Entry), ...patch }
    }
    expect(await forged(() => {})).toBe('accepted with 10 items')
    expect(await forged(edit(4, { seq: 9 }))).toBe(8)
    expect(await forged(edit(2, { id: sample().entries[0]?.id }))).toBe(6)
    expect(await forged(edit(2, { parentId: 'ent_01HF7YAT00ZZZZZZZZZZZZZZZZ' }))).toBe(6)
    expect(await forged(edit(2, { parentId: null }))).toBe(6)
    expect(await forged(edit(4, { parentId: sample().entries[0]?.id }))).toBe(8)
    expect(await forged(edit(4, { data: { to: sample().entries[3]?.id } }))).toBe(8)
    expect(await forged(edit(0, { type: 'message_added' }))).toBe(2)
    expect(await forged(edit(3, { at: -1 }))).toBe(7)
    expect(await forged(edit(3, { v: '1' }))).toBe(7)
    expect(await forged(made => void (made.row = { ...made.row, leafId: null }))).toBe(1)
    expect(await forged(made => void (made.row = { ...made.row, alias: '../x' }))).toBe(1)
  })

  it('answers a newer version with input.unsupported', async () => {
    const text = (await write(sample())).replace('{"skein":1,', '{"skein":2,')
    await expect(read(text)).rejects.toMatchObject({ code: 'input.unsupported', details: { line: 1 } })
  })

  it('proves each blob by its hash', async () => {
    const bytes = Buffer.from('content')
    const hash = sha256(bytes)
    expect(blobId(hash)).toBe(`blb_${hash.slice(0, 32)}`)
    const made = sample()
    const [first] = [...made.rows.values()]
    if (first === undefined) throw new Error('a blob was expected')
    made.rows.set(first.id, { id: first.id, hash, bytes })
    expect(await refusedAt(await write(made))).toBe(3)
  })
})
