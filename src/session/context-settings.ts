import { isObject, type Json, type JsonObject, messageOf, SkeinError } from '#kernel'
import {
  type ContextSettingsInput,
  largeTokensDefault,
  loadCounter,
  mergeContextSettings,
  readContextSettings,
  type TokenCounter,
} from '#context'
import type { SessionRow } from '#journal'
import type { Runtime } from './runtime.ts'

/** How a session's context is kept: its own settings over its process's, and what counts its tokens. */
export interface Keeping {
  readonly context: ContextSettingsInput
  readonly counter: TokenCounter
  readonly largeTokens: number
}

/** Where a session says nothing of its own. */
export function keepingOf({ context, counter }: Pick<Runtime, 'context' | 'counter'>): Keeping {
  return { context, counter, largeTokens: context.largeTokens ?? largeTokensDefault }
}

/**
 * What a session is created with, as it is stored; `undefined`: nothing. Throws `config.invalid` before any effect, also for
 * a setting that contradicts the process's, or a counter that can't be loaded or stored. Law C10.
 */
export async function readOwnSettings(runtime: Runtime, value: unknown): Promise<JsonObject | undefined> {
  if (value === undefined) return undefined
  const own = readContextSettings(value)
  if (typeof own.counter === 'object')
    throw new SkeinError('config.invalid', 'context.counter: a counter of your own is given to openSkein, for all sessions.', {
      details: { key: 'context.counter' },
    })
  mergeContextSettings(runtime.context, own)
  if (own.counter !== undefined) await loadCounter(own.counter)
  return own as Record<string, Json>
}

/** How an existing session is kept. Settings that can't be followed here are told of once, and the process's hold instead. */
export async function readKeeping(runtime: Runtime, row: SessionRow, tenant: string): Promise<Keeping> {
  const stored = row.data['context']
  if (!isObject(stored)) return keepingOf(runtime)
  try {
    const own = readContextSettings(stored)
    const context = mergeContextSettings(runtime.context, own)
    const counter = own.counter === undefined ? runtime.counter : await loadCounter(own.counter)
    return keepingOf({ context, counter })
  } catch (error) {
    const message = `Session ${row.id} keeps its context by the defaults: ${messageOf(error)}`
    runtime.notice({ level: 'warn', code: 'config.invalid', message, session: row.id, tenant })
    return keepingOf(runtime)
  }
}
