import type { Approval, InputReceipt } from '#agent'
import { given, isObject, SkeinError } from '#kernel'
import type { Page } from '#journal'
import type { SessionEvent, SessionInfo } from '#session'
import { readEventStream } from './event-stream.ts'
import { hermesForm } from './hermes-form.ts'
import { answer, type Ask, request, type Server } from './http.ts'
import { remoteGateway } from './gateway-verbs.ts'
import { remoteJobs } from './job-verbs.ts'
import { remoteArchives } from './archive-verbs.ts'
import { remoteMemory } from './memory-verbs.ts'
import { remoteMap } from './remote-map.ts'
import { remoteState } from './state-verbs.ts'
import type { EventsQuery, Verbs } from './verbs.ts'

type Query = NonNullable<Ask['query']>

/** The verbs over HTTP, one request each. Source: spec/foundation.md 6. */
export function remoteVerbs(server: Server): Verbs {
  const session = (id: string, more = ''): string => `v1/sessions/${encodeURIComponent(id)}${more}`
  const get = <T>(path: string, query?: Query): Promise<T> => answer<T>(server, path, given({ query }))
  const post = <T>(path: string, body: unknown): Promise<T> => answer<T>(server, path, { method: 'POST', body })
  return {
    gateway: remoteGateway(server),
    jobs: remoteJobs(server),
    archives: remoteArchives(server),
    memory: remoteMemory(server),
    state: remoteState(server),
    list: filter => get<Page<SessionInfo>>('v1/sessions', { ...filter }),
    create: options => post('v1/sessions', options),
    info: id => get(session(id)),
    tree: id => get(session(id, '/tree')),
    messages: (id, limit) => get(session(id, '/messages'), { limit }),
    context: (id, query) => get(session(id, '/context'), { ...query }),
    compact: (id, options) => post(session(id, '/compact'), options),
    turns: id => get(session(id, '/turns')),
    expand: (id, ref, query) => get(session(id, `/expand/${encodeURIComponent(ref)}`), { ...query }),
    explain: (id, ref) => get(session(id, `/explain/${encodeURIComponent(ref)}`)),
    recall: (id, query, options) => get(session(id, '/recall'), { query, ...options }),
    audit: id => get(session(id, '/audit')),
    usage: (id, options) => get(session(id, '/usage'), { ...options }),
    search: (query, options) => get('v1/sessions/search', { query, ...options }),
    rename: (id, title) => answer(server, session(id), { method: 'PATCH', body: { title } }),
    label: (id, entryId, text) => post(session(id, '/label'), { entryId, text }),
    fork: (id, options) => post(session(id, '/fork'), options),
    delete: (id, erase) => answer(server, session(id), { method: 'DELETE', query: erase ? { erase } : {} }),
    restore: id => post(session(id, '/restore'), {}),
    async *exportPieces(id, format) {
      const { body } = await request(server, session(id, '/export'), { query: { format } })
      if (body !== null) yield* body
    },
    import: (format, input, as) =>
      answer(server, 'v1/sessions/import', {
        method: 'POST',
        query: { format, as },
        stream: input,
        headers: { 'content-type': 'application/octet-stream' },
      }),
    importNodes: (format, nodes) => answer(server, 'v1/sessions/import', { method: 'POST', query: { format }, body: nodes }),
    importHermes: async ({ zone, dryRun, ...places }) => {
      const form = await hermesForm(places)
      return await answer(server, 'v1/sessions/import', { method: 'POST', query: { format: 'hermes', zone, dryRun }, form })
    },
    events: (id, query) => followEvents(server, session(id, '/events'), query),
    async send(id, input, options) {
      const receipt = await post<InputReceipt>(session(id, '/inputs'), { input, ...options })
      return {
        receipt,
        cancel: async () => void (await post(session(id, '/cancel'), {})),
        steer: text => post<InputReceipt>(session(id, '/steer'), { input: text }),
        events: signal => runEvents(server, session(id, '/events'), receipt, signal),
      }
    },
    cancel: id => post(session(id, '/cancel'), {}),
    abort: id => post(session(id, '/abort'), {}),
    recover: (id, { apply = false, approvals }) =>
      apply ? post(session(id, '/recovery'), given({ approvals })) : get(session(id, '/recovery')),
    map: asked => remoteMap(server, asked),
    approvals: async id => (await get<{ items: readonly Approval[] }>(session(id, '/approvals'))).items,
    answerApproval: async (id, answer) => {
      const { session: asking } = await get<Approval>(`v1/approvals/${encodeURIComponent(id)}`)
      return await post<Approval>(session(asking, `/approvals/${encodeURIComponent(id)}/answer`), answer)
    },
    previewRewind: (id, options) => post(session(id, '/checkpoints/preview'), options),
    applyRewind: (id, token) => post(session(id, '/checkpoints/apply'), { token }),
    models: () => get('v1/models'),
    checkModel: ref => get('v1/models/check', { ref }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

const pauseMs = 1_000

/** Follows a session, resuming where a cut stream left off; ends when the session is erased or the signal aborts. */
async function* followEvents(server: Server, path: string, { after, types, signal }: EventsQuery): AsyncGenerator<SessionEvent> {
  let last = after
  for (let failures = 0; !signal.aborted;) {
    try {
      const { body } = await request(server, path, {
        query: { types },
        headers: { accept: 'text/event-stream', ...given({ 'last-event-id': last }) },
        signal,
      })
      failures = 0
      if (body === null) return
      for await (const { event, data, id } of readEventStream(body)) {
        if (event === 'session_erased') return
        if (event === 'server_stopping') break
        if (id !== '') last = id
        yield JSON.parse(data) as SessionEvent
      }
    } catch (error) {
      if (signal.aborted) return
      const again = !(error instanceof SkeinError) || error.retryable
      if (!again || ++failures > 5) throw error
    }
    if (!signal.aborted) await pause(pauseMs, signal)
  }
}

async function* runEvents(
  server: Server,
  path: string,
  receipt: InputReceipt,
  signal: AbortSignal,
): AsyncGenerator<SessionEvent> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  try {
    for await (const event of followEvents(server, path, { after: String(receipt.seq - 1), signal: either })) {
      const entry = 'entry' in event && isObject(event.entry) ? event.entry : undefined
      const run = entry === undefined ? (event as { run?: unknown }).run : entry['run']
      if (run !== receipt.runId) continue
      yield event
      if (event.type === 'run_ended') return
    }
  } finally {
    stop.abort()
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>(resolve => {
    const timer = setTimeout(resolve, ms)
    const wake = (): void => {
      clearTimeout(timer)
      resolve()
    }
    signal.addEventListener('abort', wake, { once: true })
  })
}

/** Whether a server is there and ready, and which. */
export async function serverState(server: Server): Promise<{ readonly ready: boolean; readonly version: unknown }> {
  const ready = await request(server, 'ready').then(
    () => true,
    () => false,
  )
  return { ready, version: await answer(server, 'v1/version') }
}
