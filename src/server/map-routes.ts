import { z } from '@hono/zod-openapi'
import type { AgenticMapOptions, LlmMapOptions, ResumeOptions, Tool } from '#agent'
import { given, type Json } from '#kernel'
import { ok } from './answer.ts'
import { json, jsonObject } from './entry-schemas.ts'
import { whole } from './fields.ts'
import { mapInfo, mapPage } from './map-schemas.ts'
import { route, type Route } from './route.ts'

const inputs = z.union([z.array(json), z.strictObject({ blob: z.string() })])

const mapOptions = z.strictObject({
  kind: z.enum(['llm', 'agentic']).optional(),
  inputs,
  prompt: z.string(),
  schema: jsonObject.optional(),
  concurrency: z.int().optional(),
  maxRetries: z.int().optional(),
  model: z.string().optional(),
  parent: z.string().optional(),
  timeoutMs: z.int().optional(),
  temperature: z.number().optional(),
  system: z.string().optional(),
  maxTurns: z.int().optional(),
  continuation: z.string().optional(),
  readOnly: z.boolean().optional(),
})

const resumeOptions = z.strictObject({
  inputs: inputs.optional(),
  prompt: z.string().optional(),
  schema: jsonObject.optional(),
  model: z.string().optional(),
  concurrency: z.int().optional(),
})

/** `skein.operators`. A map goes on by itself once it was accepted; a server that stops leaves it to be resumed. */
export const mapRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/maps',
    operation: 'operators.map',
    summary: 'Works on many inputs, each done once: asks a model for each, or gives it to an agent.',
    body: mapOptions,
    answers: { 202: mapInfo },
    run: async ({ skein: { operators }, body }) => {
      const { kind = 'llm', ...options } = body
      const map =
        kind === 'llm'
          ? operators.llmMap(given(options) as unknown as LlmMapOptions)
          : operators.agenticMap(given(options) as unknown as AgenticMapOptions<Json, Json, Tool>)
      await map.receipt
      return { status: 202, value: await operators.get(map.id), headers: { location: `/v1/maps/${map.id}` } }
    },
  }),
  route({
    method: 'get',
    path: '/v1/maps/{id}',
    operation: 'operators.get',
    summary: 'How far a map is.',
    answers: { 200: mapInfo },
    run: async ({ skein, params }) => ok(await skein.operators.get(params['id'] ?? '')),
  }),
  route({
    method: 'get',
    path: '/v1/maps/{id}/results',
    operation: 'operators.results',
    summary: 'Results in the order in which they came; next is the after of the following page.',
    query: z.strictObject({ after: whole(0).optional(), limit: whole(1, 200).optional() }),
    answers: { 200: mapPage },
    run: async ({ skein, params, query }) => ok(await skein.operators.results(params['id'] ?? '', given(query))),
  }),
  route({
    method: 'post',
    path: '/v1/maps/{id}/resume',
    operation: 'operators.resume',
    summary: 'Goes on with a map that stopped; what could not be stored is given again.',
    body: resumeOptions,
    bodyOptional: true,
    answers: { 202: mapInfo },
    run: async ({ skein: { operators }, params, body }) => {
      const map = operators.resume(params['id'] ?? '', given(body) as unknown as ResumeOptions<Json, Json, Tool>)
      await map.receipt
      return { status: 202, value: await operators.get(map.id) }
    },
  }),
]
