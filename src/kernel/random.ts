import { randomFillSync } from 'node:crypto'

/** Where randomness comes from. `bytes` fills and returns the array; `number` is in [0, 1). */
export interface Random {
  bytes(target: Uint8Array): Uint8Array
  number(): number
}

/** Drawn ahead, because a call costs the same for 16 bytes as for 4,096. Each byte is handed out once and then wiped. */
const ahead = new Uint8Array(4_096)
let handedOut = ahead.length

function systemBytes(target: Uint8Array): Uint8Array {
  if (target.length > 256) return randomFillSync(target)
  if (handedOut + target.length > ahead.length) {
    randomFillSync(ahead)
    handedOut = 0
  }
  const end = handedOut + target.length
  target.set(ahead.subarray(handedOut, end))
  ahead.fill(0, handedOut, end)
  handedOut = end
  return target
}

export const systemRandom: Random = {
  bytes: systemBytes,
  number: () => Math.random(),
}

/** A repeatable source for tests and replays (mulberry32, public domain). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    number: next,
    bytes: target => target.map((_, index) => ((target[index] = Math.floor(next() * 256)), target[index])),
  }
}
