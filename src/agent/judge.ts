import type { Json } from '#kernel'
import type { ToolCallPart, ToolResultPart } from '#journal'
import type { Draft } from '#session'
import type { Tool } from './tool.ts'

/** What a run knows of a call when its turn comes. */
export interface AskedCall {
  readonly call: ToolCallPart
  /** Absent: nothing has this name. */
  readonly tool: Tool | undefined
  /** Aborts when the call is not to begin any more: then a question to a person is withdrawn. */
  readonly signal: AbortSignal
}

/** A way to end a run that a refusal asks for, once the results of the step stand. */
export interface RunEnding {
  readonly status: 'blocked' | 'needs_user_input'
  readonly reason: string
}

/**
 * What becomes of a call. `drafts` tell what was decided and belong into the same commit as what comes of it: the begun
 * effect, or the result.
 */
export type Ruling =
  /** It begins, with this input, which a hook may have replaced and the tool's schema has checked. */
  | { readonly allowed: true; readonly input: Json; readonly drafts: readonly Draft[] }
  | {
      readonly allowed: false
      readonly result: ToolResultPart
      readonly drafts: readonly Draft[]
      readonly ends?: RunEnding
    }

/**
 * What stands between an answer's calls and their tools, made for one run. The run asks once for each call, right before it
 * would begin, after the repeat guard. Source: spec/agent.md 11.
 */
export interface Judge {
  /** A call may wait for a person, so what came before it is written first. */
  readonly waits: boolean
  /** Whether the model is told of the tool: mode and run policy may deny it wholly. */
  offers(tool: Pick<Tool, 'name' | 'readOnly'>): boolean
  /** Waits for a person where one is asked. Rejects only if the store does. */
  judge(asked: AskedCall): Promise<Ruling>
  /** The highest trust of what it has heard; the user's own word where it does not say. */
  readonly trust?: string
  /** An input with this trust has been delivered to the run, such as a steer. */
  heard(trust: string): void
}
