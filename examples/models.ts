/* The code of docs/models.md. */
import { openSkein, type ModelPort } from 'skein'

await using skein = await openSkein({ store: 'memory:', env: { OPENAI_API_KEY: 'sk-not-a-real-key' } })
for (const name of ['sonnet', 'gpt-5.4', 'openrouter/google/gemini-3-flash-preview', 'llama', 'claude-next'])
  try {
    const { ref, info } = skein.models.resolve(name)
    console.log(ref, info.contextWindow, info.prices === undefined ? 'no price' : 'priced')
  } catch (error) {
    console.log(error instanceof Error ? error.message : error)
  }

for (const name of ['gpt-5.4', 'sonnet']) {
  const { ref, credential, problem } = await skein.models.check(name)
  console.log(ref, credential, problem?.message ?? 'ready')
}

const shouting: ModelPort = {
  provider: 'house',
  modelId: 'shout',
  info: { contextWindow: 32_000, maxOutput: 1_000, capabilities: { tools: false } },
  async *stream(request) {
    const [part] = request.messages.at(-1)?.parts ?? []
    yield { type: 'text_delta', id: 'text', text: part?.type === 'text' ? part.text.toUpperCase() : '?' }
    yield { type: 'ended', reason: 'stop' }
  },
}
const session = await skein.sessions.create({ modelOverride: shouting })
const { text, cost } = await session.send('hello').result()
console.log(text, cost)
