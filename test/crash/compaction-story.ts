import type { ContextSettingsInput, Summarizer } from '#context'
import type { Session } from '#skein'

const filler = (tokens: number): string => 'some words of it '.repeat(Math.ceil(tokens / 3.74)).trim()

/** 3,904 tokens are usable, and a summarizer says how its sources begin. */
export function tightContext(): Omit<ContextSettingsInput, 'summarizer'> & { summarizer: Summarizer } {
  return {
    buffer: 120_000,
    keepTokens: 500,
    leafTokens: 700,
    fanout: 2,
    prune: { protectTokens: 800, minTokens: 100 },
    summarizer: {
      id: 'first-words',
      maxInputTokens: 100_000,
      summarize: async ({ sources }) => ({ text: sources.map(({ role, text }) => `${role}: ${text.slice(0, 40)}`).join('\n') }),
    },
  }
}

/** Turns with calls and results, in number enough that a compaction is queued. */
export async function addStory(session: Session): Promise<void> {
  for (let n = 0; n < 8; n++)
    await session.record({
      messages: [
        { role: 'user', content: `question ${n}` },
        { role: 'assistant', parts: [{ type: 'tool_call', callId: `c${n}`, tool: 'read', input: { path: `src/f${n}.ts` } }] },
        { role: 'tool', parts: [{ type: 'tool_result', callId: `c${n}`, tool: 'read', output: `${n} ${filler(250)}` }] },
        { role: 'assistant', content: `answer ${n} ${filler(150)}` },
      ],
    })
}
