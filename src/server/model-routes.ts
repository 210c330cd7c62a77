import { z } from '@hono/zod-openapi'
import { ok } from './answer.ts'
import { route, type Route } from './route.ts'
import { credentialList, modelCheck, modelList } from './run-schemas.ts'

export const modelRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/models',
    operation: 'models.list',
    summary: 'Models that are known by name.',
    answers: { 200: modelList },
    run: async ({ skein }) => ok({ items: skein.models.list() }),
  }),
  route({
    method: 'get',
    path: '/v1/models/check',
    operation: 'models.check',
    summary: 'What a reference means and whether it could be connected, found out without a request.',
    query: z.strictObject({ ref: z.string().optional() }),
    answers: { 200: modelCheck },
    run: async ({ skein, query }) => {
      const { problem, ...check } = await skein.models.check(query.ref)
      const { code, message, retryable, details } = problem ?? {}
      return ok({ ...check, problem: problem === null ? null : { code, message, retryable, details } })
    },
  }),
  route({
    method: 'get',
    path: '/v1/credentials',
    operation: 'credentials.list',
    summary: 'Which providers have a credential, of which kind; never the credential.',
    scope: 'admin',
    answers: { 200: credentialList },
    run: async ({ skein }) => ok({ items: await skein.models.credentials.list() }),
  }),
]
