import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { Durability, Entry } from '#journal'
import { canonical, type JobId, type SessionId, toJson } from '#kernel'
import type { Deed } from './deeds.ts'

/** One stored entry as somebody saw it: its id, its place, and everything else of it as a hash. */
export interface Seen {
  readonly id: string
  readonly seq: number
  readonly hash: string
}

/** What an acknowledgement said. */
export interface Effect {
  readonly session?: SessionId
  readonly entries?: readonly Seen[]
  readonly durability?: Durability
  readonly token?: number
  readonly job?: JobId
}

/** A writer's diary: an intent before each verb, what came of it after. It outlives `kill -9`, and is the truth of what was acknowledged. */
export type Line =
  | { readonly t: 'opened'; readonly probes: number }
  | { readonly t: 'intent'; readonly n: number; readonly author: string; readonly times: number; readonly deed: Deed }
  | { readonly t: 'ack'; readonly n: number; readonly effect: Effect; readonly wal?: number }
  | { readonly t: 'refused'; readonly n: number; readonly code: string; readonly message: string }
  /** Something that the writer itself saw and that must never be. */
  | { readonly t: 'fault'; readonly message: string }
  | { readonly t: 'done'; readonly probes: number; readonly names: readonly string[] }

/** Everything of an entry but the session that it lies in, so that a fork's copy has its source's hash. */
export function seen(entry: Entry): Seen {
  const { session: _session, ...rest } = entry
  return {
    id: entry.id,
    seq: entry.seq,
    hash: createHash('sha256')
      .update(canonical(toJson(rest)))
      .digest('base64url'),
  }
}

/** Opens a diary for writing. Each line is in the system's hands when `write` returns. */
export function beginDiary(file: string): { write(line: Line): void; close(): void } {
  const descriptor = openSync(file, 'a')
  return {
    write: line => void writeSync(descriptor, `${JSON.stringify(line)}\n`),
    close: () => closeSync(descriptor),
  }
}

/** The whole lines. One that the kill cut short is none: what it would have told was not begun, or not acknowledged. */
export function readDiary(file: string): Line[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as Line)
}

/** An intent with what became of it. */
export interface Told {
  readonly n: number
  readonly author: string
  readonly deed: Deed
  /** Several when the verb was retried with its key. */
  readonly acks: readonly Effect[]
  /** `unknown`: begun and never answered, or answered with `store.uncertain`. */
  readonly outcome: 'acknowledged' | 'refused' | 'unknown'
}

export function toldBy(lines: readonly Line[]): Told[] {
  const acks = Map.groupBy(
    lines.filter(line => line.t === 'ack'),
    line => line.n,
  )
  const refusals = Map.groupBy(
    lines.filter(line => line.t === 'refused'),
    line => line.n,
  )
  return lines.flatMap(line => {
    if (line.t !== 'intent') return []
    const { n, author, deed, times } = line
    const effects = (acks.get(n) ?? []).map(ack => ack.effect)
    const refused = (refusals.get(n) ?? []).filter(({ code }) => isFinal(code, deed)).length === times
    return [{ n, author, deed, acks: effects, outcome: effects.length > 0 ? 'acknowledged' : refused ? 'refused' : 'unknown' }]
  })
}

/** Whether a refusal says that nothing was done. A verb of several steps may have been refused at its last. */
const isFinal = (code: string, { verb }: Deed): boolean =>
  code !== 'store.uncertain' &&
  (code !== 'store.unavailable' || !['create', 'fork', 'import', 'restore', 'complete'].includes(verb))
