import { createHash, createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { BlobId } from './ids.ts'

export function sha256(data: string | Uint8Array): string {
  return hash('sha256', data)
}

/** The hash of what comes in pieces. */
export function sha256Stream(): { update(piece: Uint8Array): void; digest(): string } {
  const hash = createHash('sha256')
  return { update: piece => void hash.update(piece), digest: () => hash.copy().digest('hex') }
}

export function hmacSha256(key: Uint8Array | string, data: string): string {
  return createHmac('sha256', key).update(data).digest('hex')
}

/** A blob's id from its whole hash: `blb_` and the first 32 hex digits. All 64 are stored and checked. */
export function blobId(hash: string): BlobId {
  return `blb_${hash.slice(0, 32)}`
}

/** Compares two hex digests in constant time. */
export function sameDigest(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
