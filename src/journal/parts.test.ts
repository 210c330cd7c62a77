import assert from 'node:assert/strict'
import { type BlobId, type Json, newId } from '#kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import {
  blobsOf,
  type BlobRow,
  type Entry,
  fetchParts,
  inlineBytes,
  isStub,
  maxPartBytes,
  type NewBlob,
  type Part,
  type PartInput,
  stowParts,
} from '#journal'

const entryWith = (parts: readonly Part[]): Entry => ({
  id: newId('ent'),
  session: newId('ses'),
  seq: 1,
  parentId: null,
  type: 'message_added',
  v: 1,
  at: 1,
  data: { role: 'user', parts },
})

/** A store of blobs that says what it was asked for. */
function shelf(blobs: readonly NewBlob[]): {
  blobs(ids: readonly BlobId[]): Promise<readonly BlobRow[]>
  readonly asked: BlobId[][]
} {
  const asked: BlobId[][] = []
  return {
    asked,
    blobs: async ids => {
      asked.push([...ids])
      return blobs.filter(blob => ids.includes(blob.id))
    },
  }
}

const text = (value: string): PartInput => ({ type: 'text', text: value })
const partsOf = (entry: Entry | undefined): unknown => (entry?.data as { readonly parts: unknown } | undefined)?.parts

describe('stowing large parts away', () => {
  verifies('J15', '4,096 bytes of UTF-8 stay inline, one more becomes a blob', () => {
    for (const character of ['x', 'é', '東', '😀']) {
      const bytes = Buffer.byteLength(character)
      const full = character.repeat(Math.floor(inlineBytes / bytes)) + 'x'.repeat(inlineBytes % bytes)
      expect(stowParts([text(full)])).toMatchObject({ parts: [text(full)], blobs: [] })
      const { parts, blobs } = stowParts([text(`${full}x`)])
      expect(blobs).toHaveLength(1)
      expect(isStub(parts[0])).toBe(true)
      expect(parts[0]).toMatchObject({
        type: 'text',
        bytes: inlineBytes + 1,
        encoding: 'utf8',
        preview: [...full].slice(0, 256).join(''),
      })
    }
  })

  verifies('J15', 'the same content is one blob, whatever part it stands in', () => {
    const large = 'same '.repeat(2_000)
    const { blobs } = stowParts([
      text(large),
      { type: 'reasoning', text: large },
      { type: 'file', mediaType: 'text/plain', data: Buffer.from(large) },
    ])
    expect(new Set(blobs.map(blob => blob.id)).size).toBe(1)
  })

  it('keeps the fields beside the payload, and files always aside', () => {
    const providerData = { a: [1] }
    const { parts, blobs } = stowParts([
      {
        type: 'tool_result',
        callId: 'c',
        tool: 't',
        status: 'ok',
        output: { text: 'y'.repeat(5_000) },
        providerData,
        origin: 'recall',
      },
      { type: 'file', mediaType: 'image/png', name: 'a.png', data: Uint8Array.of(1, 2) },
    ])
    expect(parts[0]).toMatchObject({ callId: 'c', tool: 't', status: 'ok', providerData, origin: 'recall', encoding: 'json' })
    expect(parts[0]).not.toHaveProperty('output')
    expect(parts[1]).toEqual({ type: 'file', mediaType: 'image/png', name: 'a.png', bytes: 2, blob: blobs[1]?.id })
  })

  it('refuses a part over 32 MiB and says which', () => {
    expect(() =>
      stowParts([text('a'), { type: 'file', mediaType: 'x/y', data: new Uint8Array(maxPartBytes + 1) }], 'messages[2].parts'),
    ).toThrow(
      expect.objectContaining({
        code: 'input.too_large',
        details: { path: 'messages[2].parts[1]', bytes: maxPartBytes + 1, max: maxPartBytes },
      }) as Error,
    )
  })

  it('names the blobs of an entry, stubs and files, but not lost ones', () => {
    const { parts, blobs } = stowParts([
      text('x'.repeat(5_000)),
      text('small'),
      { type: 'file', mediaType: 'x/y', data: Uint8Array.of(3) },
    ])
    expect(blobsOf(entryWith([...parts, { type: 'lost', blob: 'blb_00000000000000000000000000000000' }]))).toEqual(
      blobs.map(blob => blob.id),
    )
    expect(blobsOf({ data: null })).toEqual([])
    expect(blobsOf({ data: { parts: [null, 'x', { blob: 5 }] } })).toEqual([])
  })
})

describe('fetching them back', () => {
  const long = fc
    .tuple(fc.string({ unit: 'binary', maxLength: 20 }), fc.integer({ min: 0, max: 3_000 }))
    .map(([unit, times]) => unit.repeat(Math.ceil(times / (unit.length + 1))))
  const anyPart: fc.Arbitrary<Part> = fc.oneof(
    long.map(value => ({ type: 'text', text: value }) as const),
    fc.tuple(long, long).map(([value, signature]) => ({ type: 'reasoning', text: value, signature }) as const),
    fc
      .jsonValue()
      .chain(input => long.map(value => ({ type: 'tool_call', callId: 'c', tool: 't', input: [input as Json, value] }) as const)),
    fc
      .jsonValue()
      .chain(output =>
        long.map(
          value =>
            ({ type: 'tool_result', callId: 'c', tool: 't', status: 'ok', output: { output: output as Json, value } }) as const,
        ),
      ),
    long.map(value => ({ type: 'custom', name: 'n', data: value, providerData: { value } }) as const),
  )

  verifies('J9 J15', 'any parts come back byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyPart, { maxLength: 5 }), async parts => {
        const normal = JSON.parse(JSON.stringify(parts)) as Part[]
        const { parts: stowed, blobs } = stowParts(normal)
        const { entries, lost } = await fetchParts(shelf(blobs), [entryWith(stowed)])
        assert.deepStrictEqual(partsOf(entries[0]), normal)
        expect(lost).toEqual([])
      }),
    )
  })

  verifies('J16', 'an altered, exchanged or missing blob loses its own part, all others are intact', async () => {
    const inputs = ['a', 'b', 'c', 'd'].map(letter => text(letter.repeat(5_000)))
    const { parts, blobs } = stowParts([...inputs, text('small'), { type: 'file', mediaType: 'x/y', data: Uint8Array.of(9) }])
    const [a, b, c, d, file] = blobs as [NewBlob, NewBlob, NewBlob, NewBlob, NewBlob]
    const damaged: NewBlob[] = [
      { ...a, bytes: a.bytes.map((byte, index) => (index === 4_000 ? byte ^ 1 : byte)) },
      { ...b, bytes: c.bytes, hash: c.hash },
      c,
      { ...file, bytes: Uint8Array.of(8) },
    ]
    const { entries, lost } = await fetchParts(shelf(damaged), [entryWith(parts)])
    expect(lost).toEqual([a.id, b.id, d.id, file.id])
    expect(partsOf(entries[0])).toEqual([
      { type: 'lost', blob: a.id },
      { type: 'lost', blob: b.id },
      inputs[2],
      { type: 'lost', blob: d.id },
      text('small'),
      { type: 'lost', blob: file.id },
    ])
  })

  verifies('J16', 'each blob is read once, files one at a time, and not at all for who trusts them', async () => {
    const large = text('l'.repeat(5_000))
    const files = [1, 2].map(n => ({ type: 'file', mediaType: 'x/y', data: Uint8Array.of(n) }) as const)
    const { parts, blobs } = stowParts([large, large, ...files])
    const store = shelf(blobs)
    const entries = [entryWith(parts), entryWith(parts)]
    expect((await fetchParts(store, entries)).lost).toEqual([])
    expect(store.asked).toEqual([[blobs[0]?.id], [blobs[2]?.id], [blobs[3]?.id]])
    const trusting = shelf(blobs)
    const { entries: full } = await fetchParts(trusting, entries, { files: 'trust' })
    expect(trusting.asked).toEqual([[blobs[0]?.id]])
    expect(partsOf(full[0])).toEqual([large, large, parts[2], parts[3]])
  })

  it('asks for nothing where nothing was stowed, and leaves other entries as they are', async () => {
    const store = shelf([])
    const entries = [
      entryWith([{ type: 'text', text: 'small' }]),
      { ...entryWith([]), data: { parts: 'odd' } },
      { ...entryWith([]), data: 5 },
    ]
    expect(await fetchParts(store, entries)).toEqual({ entries, lost: [] })
    expect(store.asked).toEqual([])
  })
})
