import { AgentSession } from '#agent'
import { oneOf, shape } from '#kernel'
import { rewriteBranch, type Rewritten, type VerbOptions, writing } from '#session'
import type { Front } from './desk.ts'
import { findRoute } from './find-route.ts'

export interface RewriteOptions extends VerbOptions {
  /** How the messages are written. Default: the seed's, which is `openai`; ones with `parts` are Skein's own. */
  readonly format?: 'openai' | 'skein' | 'anthropic' | 'openai-responses' | 'ai-sdk'
}

const check = shape<RewriteOptions>({ ...writing, format: oneOf('openai', 'skein', 'anthropic', 'openai-responses', 'ai-sdk') })

/** Makes a route's conversation exactly these messages, in one commit. `null` for an unknown key. Law G50. */
export async function rewriteRoute(
  { store, sessions }: Front,
  key: unknown,
  messages: unknown,
  options: RewriteOptions,
): Promise<Rewritten | null> {
  check(options)
  const found = await findRoute(store, key)
  if (found === undefined) return null
  const { format = hasParts(messages) ? 'skein' : 'openai', ...more } = options
  const { core } = AgentSession.insideOf(await sessions.open(found.route.sessionId))
  return await rewriteBranch(core, messages, { ...more, format })
}

const hasParts = (messages: unknown): boolean =>
  Array.isArray(messages) && messages.some(message => typeof message === 'object' && message !== null && 'parts' in message)

export type { Rewritten }
