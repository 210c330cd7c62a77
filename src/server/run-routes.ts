import { z } from '@hono/zod-openapi'
import { given, type JsonObject, parseId, type RunId, SkeinError } from '#kernel'
import { foldResult } from '#agent'
import { type Entry, isType } from '#journal'
import type { AgentSession, InputReceipt } from '#agent'
import { type Answer, ok, sessionPath } from './answer.ts'
import { sessionOf } from './collection-routes.ts'
import { input, jsonObject } from './entry-schemas.ts'
import { route, type Route } from './route.ts'
import { sessionInfo } from './session-schemas.ts'
import { inputReceipt, runAnswer } from './run-schemas.ts'

/** A repetition answers what the first call did. */
const admitted = (receipt: InputReceipt, first: 'started' | 'queued'): Answer => {
  const isAgain = receipt.disposition === 'duplicate'
  return {
    status: 202,
    value: { ...receipt, disposition: isAgain ? first : receipt.disposition },
    ...(isAgain ? { replayed: true } : {}),
  }
}

const names = z.array(z.string()).optional()
const runPolicy = z.strictObject({ allowTools: names, denyTools: names, allowWrites: names, denyWrites: names, grants: names })
const most = z.int().min(0).optional()
const allowance = z.strictObject({ nano: most, tokens: most, wallMs: most, allowUnpriced: z.boolean().optional() })
/** By which rules a run goes, or every run of a child. */
const rules = {
  model: z.string().optional(),
  maxSteps: z.int().min(1).optional(),
  thinking: z.enum(['off', 'minimal', 'low', 'medium', 'high', 'xhigh']).optional(),
  mode: z.enum(['full', 'worker', 'orchestrator', 'planner', 'reviewer', 'auditor']).optional(),
  autonomy: z.string().optional(),
  policy: runPolicy.optional(),
  approvals: z.enum(['wait', 'deny', 'end']).optional(),
  allowance: allowance.optional(),
}

const cancelled = z.object({ cancelled: z.boolean() })

/** What a session's agent does. A run goes on in the server whether or not its caller stays. */
export const runRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/sessions/{id}/inputs',
    operation: 'session.send',
    summary: 'Says something to the agent; answers once it is durable, and the run goes on.',
    body: z.strictObject({
      input,
      delivery: z.enum(['reject', 'steer', 'followUp', 'next']).optional(),
      trust: z.string().optional(),
      provider: z.string().optional(),
      system: z.string().nullable().optional(),
      maxTokens: z.int().min(1).optional(),
      noTools: z.boolean().optional(),
      ...rules,
    }),
    answers: { 202: inputReceipt },
    run: async call => {
      const session = await sessionOf(call)
      const { input: said, approvals, policy, allowance: most, ...more } = call.body
      // Somebody may always answer over HTTP, where no layer says otherwise.
      const asked = approvals ?? ((await session.info()).config['approvals']?.layer === 'default' ? 'wait' : undefined)
      const options = { ...more, approvals: asked, policy: policy && given(policy), allowance: most && given(most) }
      const { idempotencyKey, traceId } = call.verb
      // Not the request's signal: it would end the run with the request.
      const run = session.send(said, given({ ...options, idempotencyKey, traceId }))
      const receipt = await run.receipt
      return admitted(receipt, 'started')
    },
  }),
  ...(['steer', 'followUp'] as const).map(verb =>
    route({
      method: 'post',
      path: verb === 'steer' ? '/v1/sessions/{id}/steer' : '/v1/sessions/{id}/follow-up',
      operation: `session.${verb}`,
      summary:
        verb === 'steer'
          ? 'Says something that the run which goes on heeds before its next request.'
          : 'Says something that the run goes on with where it would end.',
      body: z.strictObject({ input, trust: z.string().optional() }),
      answers: { 202: inputReceipt },
      run: async call => {
        const { input: said, trust } = call.body
        const { idempotencyKey, traceId } = call.verb
        const session = await sessionOf(call)
        return admitted(await session[verb](said, given({ trust, idempotencyKey, traceId })), 'queued')
      },
    }),
  ),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/spawn',
    operation: 'session.spawn',
    summary: 'Begins a sub-session, which may do no more than this one and ends with its run.',
    // Tools are named, since only this process has them.
    body: z.strictObject({
      id: z.string().optional(),
      title: z.string().nullable().optional(),
      agent: z.string().optional(),
      cwd: z.string().optional(),
      tags: z.array(z.string()).optional(),
      metadata: jsonObject.optional(),
      system: z.string().nullable().optional(),
      role: z.string().optional(),
      tools: names,
      noTools: z.boolean().optional(),
      ...rules,
    }),
    bodyOptional: true,
    answers: { 201: sessionInfo },
    run: async call => {
      const { policy, allowance: most, metadata, ...more } = call.body ?? {}
      const kept = metadata as JsonObject | undefined
      const options = given({ metadata: kept, policy: policy && given(policy), allowance: most && given(most) })
      const child = await (await sessionOf(call)).spawn({ ...given(more), ...call.verb, ...options })
      return { status: 201, value: await child.info(), headers: { location: sessionPath(child.id) }, session: child.id }
    },
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/cancel',
    operation: 'session.cancel',
    summary: 'Ends the run that is going on, in whatever process; what came so far is kept.',
    body: z.strictObject({}),
    bodyOptional: true,
    answers: { 200: cancelled },
    run: async call => ok(await (await sessionOf(call)).cancel()),
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/abort',
    operation: 'session.abort',
    summary: 'The same, without waiting for what is deaf.',
    body: z.strictObject({}),
    bodyOptional: true,
    answers: { 200: cancelled },
    run: async call => ok(await (await sessionOf(call)).abort()),
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/runs/{runId}',
    operation: 'session.run',
    summary: 'One run; its result is null until it has ended.',
    answers: { 200: runAnswer },
    run: async call => {
      const run = parseId('run', call.params['runId'], 'runId')
      return ok(await readRun(await sessionOf(call), run))
    },
  }),
]

const pageSize = 1_000

/** A run as its entries tell it, in any process. Throws `run.not_found`. */
async function readRun(session: AgentSession, run: RunId): Promise<unknown> {
  const started = await startOf(session, run)
  if (started === undefined || !isType(started, 'run_started')) {
    throw new SkeinError('run.not_found', `Session ${session.id} has no run ${run}.`, { details: { session: session.id, run } })
  }
  const entries: Entry[] = []
  const types = ['run_started', 'turn_started', 'message_added', 'usage_recorded', 'run_ended']
  for (let after = started.seq - 1; entries.at(-1)?.type !== 'run_ended';) {
    const page = await session.entries({ after, types, limit: pageSize })
    for (const entry of page) {
      if (entry.run === run) entries.push(entry)
      if (entry.run === run && entry.type === 'run_ended') break
    }
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) break
    after = last.seq
  }
  const last = entries.at(-1)
  const ended = last?.type === 'run_ended' ? last : undefined
  const { model } = started.data as { model?: unknown }
  return {
    runId: run,
    turnId: started.turn ?? null,
    session: session.id,
    seq: started.seq,
    model: typeof model === 'string' ? model : null,
    startedAt: started.at,
    endedAt: ended?.at ?? null,
    result: ended === undefined ? null : foldResult(entries),
  }
}

async function startOf(session: AgentSession, run: RunId): Promise<Entry | undefined> {
  for (let after = 0; ;) {
    const page = await session.entries({ after, types: ['run_started'], limit: pageSize, parts: 'stub' })
    const found = page.find(entry => entry.run === run)
    const last = page.at(-1)
    if (found !== undefined || last === undefined || page.length < pageSize) return found
    after = last.seq
  }
}
