/** Width and height in pixels. */
export interface ImageSize {
  readonly width: number
  readonly height: number
}

/**
 * The size of a PNG, JPEG, GIF or WebP image by its header; `undefined` if the bytes are none of these or break off.
 * Reads headers only, never throws. Sources: the PNG specification 11.2.2, ITU-T T.81 B.2, GIF89a 18, RFC 9649.
 */
export function imageSize(bytes: Uint8Array): ImageSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const size = sizeIn(view)
  return size === undefined || size.width === 0 || size.height === 0 ? undefined : size
}

function sizeIn(view: DataView): ImageSize | undefined {
  if (begins(view, 0, '\x89PNG\r\n\x1a\n') && begins(view, 12, 'IHDR') && view.byteLength >= 24)
    return { width: view.getUint32(16), height: view.getUint32(20) }
  if ((begins(view, 0, 'GIF87a') || begins(view, 0, 'GIF89a')) && view.byteLength >= 10)
    return { width: view.getUint16(6, true), height: view.getUint16(8, true) }
  if (begins(view, 0, 'RIFF') && begins(view, 8, 'WEBP')) return webpSize(view)
  if (begins(view, 0, '\xff\xd8')) return jpegSize(view)
  return undefined
}

function begins(view: DataView, at: number, text: string): boolean {
  if (view.byteLength < at + text.length) return false
  for (let i = 0; i < text.length; i++) if (view.getUint8(at + i) !== text.charCodeAt(i)) return false
  return true
}

function webpSize(view: DataView): ImageSize | undefined {
  if (view.byteLength < 30) return undefined
  if (begins(view, 12, 'VP8 ') && begins(view, 23, '\x9d\x01\x2a'))
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }
  if (begins(view, 12, 'VP8L') && view.getUint8(20) === 0x2f) {
    const bits = view.getUint32(21, true)
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) }
  }
  const uint24 = (at: number): number => view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
  if (begins(view, 12, 'VP8X')) return { width: 1 + uint24(24), height: 1 + uint24(27) }
  return undefined
}

/** Goes from segment to segment to the frame header: a marker 0xC0 to 0xCF that is neither a table nor arithmetic coding. */
function jpegSize(view: DataView): ImageSize | undefined {
  let at = 2
  while (at + 9 <= view.byteLength) {
    if (view.getUint8(at) !== 0xff) return undefined
    const marker = view.getUint8(at + 1)
    if (marker === 0xff) {
      at++
      continue
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
    if (isFrame) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) }
    // TEM and the restart markers stand alone; after the scan begins no header follows.
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) at += 2
    else if (marker === 0xd9 || marker === 0xda) return undefined
    else at += 2 + Math.max(2, view.getUint16(at + 2))
  }
  return undefined
}
