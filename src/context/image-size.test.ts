import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { imageSize } from './image-size.ts'

const bytes = (...parts: readonly (string | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap(part => (typeof part === 'string' ? [...part].map(c => c.charCodeAt(0)) : [...part])))
const be32 = (n: number): number[] => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]
const be16 = (n: number): number[] => [n >>> 8, n & 255]
const le16 = (n: number): number[] => [n & 255, n >>> 8]
const le24 = (n: number): number[] => [n & 255, (n >>> 8) & 255, n >>> 16]

/** The smallest headers of each format that say a size. */
const headers = {
  png: (w: number, h: number) => bytes('\x89PNG\r\n\x1a\n', be32(13), 'IHDR', be32(w), be32(h), [8, 6, 0, 0, 0]),
  gif: (w: number, h: number) => bytes('GIF89a', le16(w), le16(h), [0, 0, 0]),
  jpeg: (w: number, h: number) =>
    bytes(
      [0xff, 0xd8, 0xff, 0xe0],
      be16(16),
      'JFIF\0',
      [1, 1, 0, 0, 1, 0, 1, 0, 0, 0xff, 0xff, 0xc4],
      be16(3),
      [0],
      [0xff, 0xc2],
      be16(11),
      [8],
      be16(h),
      be16(w),
      [1, 1, 0x11, 0],
    ),
  'lossy webp': (w: number, h: number) =>
    bytes('RIFF', be32(0), 'WEBPVP8 ', be32(0), [0, 0, 0, 0x9d, 0x01, 0x2a], le16(w), le16(h)),
  'lossless webp': (w: number, h: number) => {
    const bits = (w - 1) | ((h - 1) << 14)
    return bytes(
      'RIFF',
      be32(0),
      'WEBPVP8L',
      be32(0),
      [0x2f],
      [bits & 255, (bits >>> 8) & 255, (bits >>> 16) & 255, bits >>> 24],
      [0, 0, 0, 0, 0],
    )
  },
  'extended webp': (w: number, h: number) => bytes('RIFF', be32(0), 'WEBPVP8X', be32(10), [0, 0, 0, 0], le24(w - 1), le24(h - 1)),
}

describe('the size of an image', () => {
  for (const [format, header] of Object.entries(headers)) {
    it(`is read from the header of a ${format}, and of none that breaks off`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 16_383 }), fc.integer({ min: 1, max: 16_383 }), (width, height) => {
          const whole = header(width, height)
          expect(imageSize(whole)).toEqual({ width, height })
          // Within a larger buffer, as a slice of a file is.
          const inside = new Uint8Array(whole.length + 7)
          inside.set(whole, 7)
          expect(imageSize(inside.subarray(7))).toEqual({ width, height })
          expect(imageSize(whole.subarray(0, 9))).toBeUndefined()
        }),
      )
    })
  }

  it('is unknown for anything else, and no bytes make it throw', () => {
    expect(imageSize(new Uint8Array())).toBeUndefined()
    expect(imageSize(headers.png(0, 5))).toBeUndefined()
    const starts = fc.constantFrom(...Object.values(headers).map(header => header(3, 4)))
    fc.assert(
      fc.property(starts, fc.nat(30), fc.uint8Array({ maxLength: 200 }), (start, kept, rest) => {
        const size = imageSize(Uint8Array.from([...start.subarray(0, kept), ...rest]))
        if (size !== undefined) expect(size.width * size.height).toBeGreaterThan(0)
      }),
    )
  })

  it('of a JPEG of nothing but markers takes one walk', () => {
    expect(imageSize(new Uint8Array(4_000_000).fill(0xff))).toBeUndefined()
  })
})
