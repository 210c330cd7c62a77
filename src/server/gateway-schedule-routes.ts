import { z } from '@hono/zod-openapi'
import type { NewSchedule } from '#gateway'
import { given, SkeinError } from '#kernel'
import { ok } from './answer.ts'
import { newSchedule, schedule, schedulePage } from './gateway-schemas.ts'
import { whole } from './fields.ts'
import { route, type Route } from './route.ts'

/** `skein.gateway.schedules`: what is asked at set times. */
export const gatewayScheduleRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/gateway/schedules',
    operation: 'gateway.schedules.list',
    summary: 'Schedules, newest first.',
    query: z.strictObject({ limit: whole(1, 200).optional(), cursor: z.string().optional() }),
    answers: { 200: schedulePage },
    run: async ({ skein, query }) => ok(await skein.gateway.schedules.list(given(query))),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/schedules',
    operation: 'gateway.schedules.add',
    summary: 'Asks a model at set times, in a session of its own each time.',
    body: newSchedule,
    answers: { 201: schedule },
    run: async ({ skein, body }) => {
      const added = await skein.gateway.schedules.add(body as NewSchedule)
      return ok(added, { status: 201, headers: { location: `/v1/gateway/schedules/${added.id}` } })
    },
  }),
  route({
    method: 'get',
    path: '/v1/gateway/schedules/{id}',
    operation: 'gateway.schedules.get',
    summary: 'One schedule.',
    answers: { 200: schedule },
    run: async ({ skein, params }) => {
      const id = params['id'] ?? ''
      const found = await skein.gateway.schedules.get(id)
      if (found === null) throw new SkeinError('schedule.not_found', `There is no schedule ${id}.`, { details: { schedule: id } })
      return ok(found)
    },
  }),
  route({
    method: 'delete',
    path: '/v1/gateway/schedules/{id}',
    operation: 'gateway.schedules.remove',
    summary: 'It fires no more; what it began goes on.',
    answers: { 200: z.object({ removed: z.boolean() }) },
    run: async ({ skein, params }) => ok({ removed: await skein.gateway.schedules.remove(params['id'] ?? '') }),
  }),
  ...(['enable', 'disable'] as const).map(verb =>
    route({
      method: 'post',
      path: `/v1/gateway/schedules/{id}/${verb}`,
      operation: `gateway.schedules.${verb}`,
      summary: verb === 'enable' ? 'Fires again, from now on.' : 'Stays, and does not fire.',
      body: z.strictObject({}),
      bodyOptional: true,
      answers: { 200: schedule },
      run: async ({ skein, params }) => ok(await skein.gateway.schedules[verb](params['id'] ?? '')),
    }),
  ),
]
