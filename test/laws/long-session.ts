import type { Session, Skein } from '#skein'

/** A model with little room, so that a few dozen turns have to be compacted. */
export const small = { contextWindow: 8_000, maxOutput: 1_000, provider: 'openai' }

/** What each turn says that no other does. */
export const wordsOf = (n: number): { user: string; call: string; result: string; answer: string } => ({
  user: `userfact${n}q`,
  call: `path/to/file${n}.ts`,
  result: `toolfact${n}q`,
  answer: `answerfact${n}q`,
})

/** A turn with a call and its long result, recorded as a host would. */
export async function addTurn(session: Session, n: number): Promise<void> {
  const { user, call, result, answer } = wordsOf(n)
  await session.record({
    messages: [
      {
        role: 'user',
        parts: [{ type: 'text', text: `Please look into matter ${n}: ${user}. ${'Mind the details. '.repeat(12)}` }],
      },
      { role: 'assistant', parts: [{ type: 'tool_call', callId: `c${n}`, tool: 'read', input: { path: call } }] },
      {
        role: 'tool',
        parts: [
          {
            type: 'tool_result',
            callId: `c${n}`,
            tool: 'read',
            status: 'ok',
            output: `${'export const line = 1\n'.repeat(40)}${result}\n${'const more = 2\n'.repeat(40)}`,
          },
        ],
      },
      { role: 'assistant', parts: [{ type: 'text', text: `It is settled: ${answer}. ${'Nothing else was found. '.repeat(6)}` }] },
    ],
    format: 'skein',
  })
}

/** A session of so many turns that its older ones left the context in several compactions. */
export async function longSession(skein: Skein, turns = 30): Promise<Session> {
  const session = await skein.sessions.create({ context: { largeTokens: 1_000_000 } })
  for (let n = 0; n < turns; n++) {
    await addTurn(session, n)
    await session.context({ facts: small })
  }
  return session
}
