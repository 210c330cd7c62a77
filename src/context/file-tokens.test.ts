import { verifies } from '#verifies'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { imageTokens, weightsCounter } from './count-tokens.ts'
import { fileTokens, isBinary } from './file-tokens.ts'
import { pdfPages } from './pdf-pages.ts'

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text)
function png(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(33)
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52])
  new DataView(bytes.buffer).setUint32(16, width)
  new DataView(bytes.buffer).setUint32(20, height)
  return bytes
}
const pdf = (pages: number): Uint8Array =>
  encoded(
    `%PDF-1.4\n1 0 obj<</Type /Pages /Count ${pages}>>endobj\n${'2 0 obj<</Type /Page /Parent 1 0 R>>endobj\n'.repeat(pages)}`,
  )

describe('the tokens of a file', () => {
  verifies('C3', 'follow the size of an image, 85 at least and 1,600 at most, also where it is unknown', () => {
    expect(fileTokens('image/png', png(1024, 768))).toBe(1_049)
    expect(fileTokens('image/png', png(200, 200))).toBe(85)
    expect(fileTokens('image/png', png(4_000, 3_000))).toBe(1_600)
    expect(fileTokens('image/png', encoded('no image'))).toBe(1_600)
    expect(fileTokens('image/png')).toBe(1_600)
    expect(imageTokens(1024, 768)).toBe(1_049)
  })

  it('are 2,000 for each page of a PDF', () => {
    for (const pages of [1, 3, 120]) expect(fileTokens('application/pdf', pdf(pages))).toBe(2_000 * pages)
  })

  it('are those of a text and 8, unless it is none', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.constantFrom('text/plain', 'application/json', 'image/svg+xml', 'text/csv; charset=utf-8'),
        (text, type) => {
          const plain = text.replaceAll('\0', ' ').replace(/^\ufeff/, '')
          expect(fileTokens(type, encoded(plain))).toBe(weightsCounter.count(plain) + 8)
        },
      ),
    )
    expect(fileTokens('text/plain', new Uint8Array(100))).toBe(1_600)
    expect(fileTokens('application/zip', encoded('PK'))).toBe(1_600)
  })

  it('count over 1 % of NUL in the first 8 KiB as binary', () => {
    const text = new Uint8Array(20_000).fill(65)
    expect(isBinary(text.fill(0, 0, 81))).toBe(false)
    expect(isBinary(text.fill(0, 0, 82))).toBe(true)
    expect(isBinary(new Uint8Array(20_000).fill(65).fill(0, 8_192))).toBe(false)
  })
})

describe('the pages of a PDF', () => {
  it('are at least one, and never more claimed than the bytes can hold', () => {
    expect(pdfPages(encoded('%PDF-1.7 nothing'))).toBe(1)
    expect(pdfPages(encoded(`%PDF-1.5 <</Linearized 1 /N 12>> ${' '.repeat(400)}`))).toBe(12)
    expect(pdfPages(encoded('<</Type/Pages/Count 999999>>'))).toBe(1)
    fc.assert(
      fc.property(fc.uint8Array(), bytes => {
        expect(pdfPages(bytes)).toBeGreaterThanOrEqual(1)
      }),
    )
  })
})
