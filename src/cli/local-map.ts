import type { AgenticMapOptions, LlmMapOptions, ResumeOptions, Tool } from '#agent'
import { given, type Json } from '#kernel'
import type { Skein } from '#skein'
import type { GoingMap, MapAsked } from './verbs.ts'

/** Works on a map in this process. */
export async function localMap({ operators }: Skein, { kind, resume, inputs, options, signal }: MapAsked): Promise<GoingMap> {
  const all: unknown = { ...options, signal, ...given({ inputs }) }
  const run =
    resume !== undefined
      ? operators.resume(resume, all as ResumeOptions<Json, Json, Tool>)
      : kind === 'llm'
        ? operators.llmMap(all as LlmMapOptions)
        : operators.agenticMap(all as AgenticMapOptions<Json, Json, Tool>)
  await run.receipt
  return { map: run.id, results: () => run.results(), info: () => operators.get(run.id) }
}
