import {
  byteLength,
  canonical,
  type Id,
  isObject,
  type Json,
  type RunId,
  type SessionId,
  sha256,
  stringify,
  toJson,
  type TurnId,
} from '#kernel'
import type { Change, RecordRow } from '#journal'

export type ApprovalId = Id<'apr'>

/** What a person said. `run`: it holds for all calls of the tool that are asked about for the same reason in this run. */
export interface ApprovalAnswer {
  readonly decision: 'allow' | 'deny'
  readonly scope: 'once' | 'run'
  readonly reason: string | null
  readonly by: string | null
  readonly at: number
}

/** A question to a person about one exact call. */
export interface Approval {
  readonly id: ApprovalId
  readonly session: SessionId
  readonly run: RunId
  readonly turn: TurnId
  readonly callId: string
  readonly tool: string
  /** As the tool would get it; of more than 16 KiB only the size. */
  readonly input: Json
  /** Of tool, call id, canonical input and policy: what it holds for. */
  readonly hash: string
  readonly policy: string
  /** Who asks, and why. */
  readonly source: string
  readonly code: string
  readonly message: string
  readonly requestedAt: number
  /** `withdrawn`: the run went on or ended without an answer. */
  readonly state: 'open' | 'answered' | 'withdrawn'
  readonly answer: ApprovalAnswer | null
}

/** Approvals are rows beside the journal, so that two answers at once are one; entries tell of them. */
export const approvalCollection = 'approval'
const maxInputBytes = 16_384

/** What an approval is bound to. Source: spec/agent.md 11, law A44. */
export function callHash(call: {
  readonly tool: string
  readonly callId: string
  readonly input: unknown
  readonly policy: string
}): string {
  const { tool, callId, input, policy } = call
  return sha256(canonical([tool, callId, toJson(input), policy]))
}

/** What of an input is kept for a person to read. */
export function readableInput(input: unknown): Json {
  const json = toJson(input)
  const bytes = byteLength(stringify(json))
  return bytes > maxInputBytes ? { leftOut: { bytes } } : json
}

export function putApproval(approval: Approval, expectVersion: number): Change {
  return {
    type: 'put_record',
    collection: approvalCollection,
    key: approval.id,
    value: toJson(approval),
    tags: [approval.session, approval.hash],
    expectVersion,
  }
}

export function readApproval(row: RecordRow | undefined): Approval | undefined {
  return isObject(row?.value) ? (row.value as unknown as Approval) : undefined
}
