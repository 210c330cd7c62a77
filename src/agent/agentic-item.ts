import { given, type SessionId } from '#kernel'
import { addUsage, noUsage } from '#journal'
import type { ConnectedModel } from '#models'
import type { AgentSession } from './agent-session.ts'
import type { AgentSessions } from './agent-sessions.ts'
import { backOffMs } from './operators/llm-item.ts'
import type { MapErrorKind, MapId, MapSettings } from './operators/map-rows.ts'
import { guidanceAfter, type OutputReader } from './operators/output.ts'
import type { MakePrompt } from './operators/prompt.ts'
import type { ItemOutcome, ItemWork } from './operators/runner.ts'
import { refOf } from './run-options.ts'
import type { Run } from './run-face.ts'
import type { Tool } from './tool.ts'
import type { TurnResult } from './turn-result.ts'

export interface AgenticItemParts {
  readonly map: MapId
  readonly settings: MapSettings
  readonly prompt: MakePrompt
  readonly reader: OutputReader
  readonly model: ConnectedModel
  readonly tools: readonly Tool[]
  readonly parent: SessionId | null
  readonly user: string | null
  readonly sessions: AgentSessions
  /** Says something in a sub-session, with the map's model and tools. */
  send(session: AgentSession, input: string, signal: AbortSignal): Run
  /** Waits, unless the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

/** The sub-session of an item has a name that its map and index make, so an item that is begun again gets no second one. */
const aliasOf = (map: MapId, index: number): string => `map-item-${map.slice(4)}-${index}`

type Ended = { readonly text: string } | { readonly errorKind: MapErrorKind; readonly error: string }

/** Gives each item to an agent of its own, in a sub-session. Source: spec/context.md 11. */
export function agenticItem(parts: AgenticItemParts): ItemWork {
  const { settings, prompt, reader, sessions } = parts
  return async ({ index, input }, signal) => {
    const asked = await prompt(input, index)
    const session = await openItem(parts, index)
    try {
      let usage = noUsage
      let next = reader.told === null ? asked : `${asked}\n\n${reader.told}`
      const whole = next
      for (let attempt = 1; ; attempt++) {
        const turns: TurnResult[] = []
        const ended = await takeTurns(parts, session, next, signal, turns)
        usage = turns.reduce((sum, turn) => addUsage(sum, turn.usage), usage)
        const told = (more: Pick<ItemOutcome, 'output' | 'error' | 'errorKind'>): ItemOutcome => ({
          attempts: attempt,
          usage,
          session: session.id,
          ...more,
        })
        const checked = 'text' in ended ? await reader.read(ended.text) : ended
        if (!('errorKind' in checked)) return told({ output: checked.output })
        const { errorKind, error } = checked
        if (signal.aborted) return told({ errorKind: 'aborted', error: 'The map was stopped.' })
        if (attempt > settings.maxRetries || errorKind === 'aborted') return told({ errorKind, error })
        const isForm = errorKind === 'not_json' || errorKind === 'schema_mismatch'
        next = isForm ? guidanceAfter({ errorKind, error }) : whole
        if (errorKind === 'model_error') await parts.wait(backOffMs(attempt), signal)
      }
    } finally {
      await sessions.evict({ id: session.id })
    }
  }
}

async function openItem(parts: AgenticItemParts, index: number): Promise<AgentSession> {
  const { map, model, tools, parent, user, sessions } = parts
  return await sessions.open(aliasOf(map, index), {
    orCreate: {
      model: refOf(model),
      metadata: { map, index },
      ...(tools.length > 0 ? { tools } : {}),
      ...given({ parent: parent ?? undefined, user: user ?? undefined }),
    },
  })
}

/** One turn, and where there is a continuation more of them, until one is finished. */
async function takeTurns(
  { settings, send }: AgenticItemParts,
  session: AgentSession,
  input: string,
  signal: AbortSignal,
  turns: TurnResult[],
): Promise<Ended> {
  for (let next = input; ; next = settings.continuation) {
    const run = send(session, next, signal)
    let looped = false
    for await (const { type } of run) {
      if (type !== 'doom_loop_detected') continue
      looped = true
      await run.cancel()
    }
    const turn = await run.result()
    turns.push(turn)
    if (looped) return { errorKind: 'model_error', error: 'It made the same call over and over.' }
    const unfinished = turn.status === 'blocked' && turn.reason === 'step_limit'
    if (unfinished && settings.continuation !== '' && turns.length < settings.maxTurns && !signal.aborted) continue
    return endOf(turn)
  }
}

function endOf({ status, reason, text, error }: TurnResult): Ended {
  if (status === 'done' || status === 'done_with_concerns') return { text }
  if (status === 'cancelled') return { errorKind: 'aborted', error: 'Its run was cancelled.' }
  return { errorKind: 'model_error', error: error?.message ?? `The turn ended ${status}: ${reason}.` }
}
