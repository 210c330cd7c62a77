import { isObject, type SessionId } from '#kernel'
import type { NewEntry } from '#journal'

/** What an import did. */
export interface Imported {
  readonly id: SessionId
  /** False when the same content was there already: nothing was written. */
  readonly created: boolean
  readonly entries: number
  readonly messages: number
  readonly badLines: number
  readonly unknown: number
  /** Tool calls without a result; they stay, contexts repair them. */
  readonly dangling: number
}

/** What an import of a folder of archives did. */
export interface FolderImported {
  readonly id: SessionId
  /** False where everything was here already: nothing was written. */
  readonly created: boolean
  readonly sessions: readonly SessionId[]
  readonly archives: number
  readonly merged: number
  readonly messages: number
  readonly entries: number
  /** What could not be read, and why; the rest went on. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[]
}

/** What an import reports. */
export class Tally {
  #entries = 0
  #messages = 0
  readonly #open = new Set<string>()

  take(entry: Pick<NewEntry, 'type' | 'data'>): void {
    this.#entries++
    if (entry.type !== 'message_added' || !isObject(entry.data) || !Array.isArray(entry.data['parts'])) return
    this.#messages++
    for (const part of entry.data['parts'] as unknown[]) {
      if (!isObject(part)) continue
      if (part['type'] === 'tool_call') this.#open.add(String(part['callId']))
      if (part['type'] === 'tool_result') this.#open.delete(String(part['callId']))
    }
  }

  get report(): { entries: number; messages: number; unknown: number; dangling: number } {
    return { entries: this.#entries, messages: this.#messages, unknown: 0, dangling: this.#open.size }
  }
}

/** Where a Hermes gateway keeps its sessions. */
export interface HermesInput {
  /** The folder of `sessions.json` and the transcripts, or the one above. */
  readonly dir?: string
  /** What that folder holds, by name, where it is not on this machine: `sessions.json` and `ID.jsonl`. */
  readonly files?: Readonly<Record<string, string>>
  /** The state database, or its bytes. */
  readonly stateDb?: string | Uint8Array
  /** Of times without offset; default: the gateway's zone. */
  readonly zone?: string
  /** Counts what would be added, and adds nothing. */
  readonly dryRun?: boolean
}

/** What was added. */
export interface HermesImported {
  readonly routes: number
  readonly sessions: number
  readonly messages: number
  /** What was not taken over, and why. */
  readonly skipped: readonly { readonly what: string; readonly why: string }[]
  /** Sessions whose two transcripts had nothing in common: the shorter one is a side branch. */
  readonly branches: number
}
