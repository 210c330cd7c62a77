import type { Clock } from '#kernel'
import { type Summarizer, summaryPrompt } from '#context'
import { noUsage, type Usage } from '#journal'
import { complete, type ConnectedModel } from '#models'
import { refOf } from './run-options.ts'

/** Room that the instructions and the answer take in the model's window, beside the sources. */
const overheadTokens = 4_000

/** Summaries by a model: one request each, at temperature 0, priced like any other. */
export function modelSummarizer(model: ConnectedModel, clock: Clock): Summarizer {
  const { contextWindow, maxOutput } = model.info
  return {
    id: refOf(model),
    maxInputTokens: Math.max(1_000, Math.floor(contextWindow * 0.9) - Math.min(maxOutput, 4_096) - overheadTokens),
    async summarize(request) {
      const { system, user } = summaryPrompt(request)
      const at = clock.now()
      let reported: Usage | undefined
      const asked = {
        system,
        messages: [{ role: 'user' as const, parts: [{ type: 'text' as const, text: user }] }],
        tools: [],
        maxTokens: Math.min(maxOutput, Math.max(512, 2 * request.targetTokens)),
        temperature: 0,
      }
      const { text } = await complete(model, asked, request.signal, usage => (reported = usage))
      return { text, ...(reported === undefined ? {} : { usage: reported, cost: model.cost(reported ?? noUsage, at).total }) }
    },
  }
}
