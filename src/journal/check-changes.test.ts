import { newId, sha256, blobId } from '#kernel'
import { describe, expect, it } from 'vitest'
import {
  type Append,
  type Change,
  checkCommit,
  checkKey,
  maxBlobBytes,
  maxChanges,
  maxCommitBytes,
  maxEntryBytes,
  type NewBlob,
} from '#journal'

const append = (data: unknown, blobs: NewBlob[] = []): Append => ({
  type: 'append',
  session: newId('ses'),
  entries: [{ id: newId('ent'), parentId: null, type: 'custom', v: 1, at: 1, data }],
  blobs,
})
const blobOf = (bytes: Uint8Array): NewBlob => ({ id: blobId(sha256('')), hash: sha256(''), bytes })
const check = (changes: Change[]) => checkCommit(changes, {})

describe('the limits of a commit', () => {
  it('weigh what is to be stored', () => {
    const light = check([append('')])
    expect(check([append('x'.repeat(1_000))])).toBe(light + 1_000)
    expect(check([append('', [blobOf(new Uint8Array(500))])])).toBe(light + 500)
    expect(check([{ type: 'put_blob', blob: blobOf(new Uint8Array(7)) }])).toBe(7)
    expect(check([{ type: 'erase_session', session: newId('ses') }])).toBe(0)
  })

  it('are 10,000 changes, 1 MiB an entry, 64 MiB a blob, 128 MiB in all', () => {
    expect([maxChanges, maxEntryBytes, maxBlobBytes, maxCommitBytes]).toEqual([10_000, 2 ** 20, 64 * 2 ** 20, 128 * 2 ** 20])
    const nothing: Change = { type: 'put_record', collection: 'c', key: 'k', value: null }
    expect(() => check(Array<Change>(maxChanges).fill(nothing))).not.toThrow()
    const tooLarge = expect.objectContaining({ code: 'input.too_large' }) as Error
    expect(() => check(Array<Change>(maxChanges + 1).fill(nothing))).toThrow(tooLarge)
    expect(() => check([append('x'.repeat(maxEntryBytes - 100))])).not.toThrow()
    expect(() => check([append('x'.repeat(maxEntryBytes))])).toThrow(tooLarge)
    const whole = blobOf(new Uint8Array(maxBlobBytes))
    expect(() => check([append('', [whole])])).not.toThrow()
    expect(() => check([append('', [blobOf(new Uint8Array(maxBlobBytes + 1))])])).toThrow(tooLarge)
    expect(() =>
      check([
        { type: 'put_blob', blob: whole },
        { type: 'put_blob', blob: whole },
      ]),
    ).not.toThrow()
    expect(() => check([{ type: 'put_blob', blob: whole }, append('x', [whole])])).toThrow(tooLarge)
  })
})

describe('an idempotency key', () => {
  it('is 1 to 255 bytes of text without control characters', () => {
    for (const key of ['a', ' ', 'é'.repeat(127), '😀', 'x'.repeat(255)]) expect(checkKey(key)).toBe(key)
    for (const key of ['', 'x'.repeat(256), 'é'.repeat(128), 'a\u0000', 'a\u007f', 'a\u0085', '\ud800', 7, null, undefined])
      expect(() => checkKey(key)).toThrow(
        expect.objectContaining({
          code: 'input.invalid',
          details: expect.objectContaining({ path: 'idempotencyKey' }) as object,
        }) as Error,
      )
  })
})
