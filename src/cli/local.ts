import { given, type SessionId } from '#kernel'
import type { ExportFormat, SessionEvent } from '#session'
import type { Session, Skein } from '#skein'
import { localGateway } from './gateway-verbs.ts'
import { localJobs } from './job-verbs.ts'
import { localArchives } from './archive-verbs.ts'
import { localMemory } from './memory-verbs.ts'
import { localMap } from './local-map.ts'
import { localState } from './state-verbs.ts'
import type { Started, TurnsPage, Verbs } from './verbs.ts'

/** The verbs on a store that this process opened; `skein` is one tenant's face, `house` what is closed at the end. */
export function localVerbs(skein: Skein, house: Skein): Verbs {
  const { sessions, models } = skein
  const open = (id: SessionId): Promise<Session> => sessions.open(id)
  return {
    gateway: localGateway(skein),
    jobs: localJobs(skein),
    archives: localArchives(skein),
    memory: localMemory(skein),
    state: localState(skein),
    list: filter => sessions.list(filter),
    create: async options => await (await sessions.create(options)).info(),
    info: async id => await (await sessions.open(id)).info(),
    tree: async id => await (await open(id)).tree(),
    messages: async (id, limit) => await (await open(id)).messages({ limit }),
    context: async (id, query) => await (await open(id)).context({ ...query, compact: false }),
    compact: async (id, options) => await (await open(id)).compact(options),
    turns: async id => turnsPage(await (await open(id)).turns({ limit: turnsAtOnce })),
    expand: async (id, ref, query) => await (await open(id)).expand(ref, query),
    explain: async (id, ref) => await (await open(id)).explain(ref),
    recall: async (id, query, options) => await (await open(id)).recall(query, options),
    audit: async id => await (await open(id)).audit(),
    usage: async (id, options) => await (await open(id)).usage(options),
    search: (query, options) => sessions.search(query, options),
    rename: async (id, title) => {
      const session = await open(id)
      await session.rename(title)
      return await session.info()
    },
    label: async (id, entryId, text) => await (await open(id)).label(entryId, text),
    fork: async (id, options) => await (await (await open(id)).fork(options)).info(),
    delete: (id, erase) => sessions.delete(id, { erase }),
    restore: async id => await (await sessions.restore(id)).info(),
    exportPieces: (id, format) => exported(open(id), format),
    import: async (format, input, as) => {
      const { session: _session, ...report } = await sessions.import(format, input, given({ as }))
      return report
    },
    importNodes: async (format, nodes) => {
      const { session: _session, ...report } = await sessions.import(format, nodes)
      return report
    },
    importHermes: input => sessions.import('hermes', input),
    events: (id, { after, types, signal }) => eventsOf(open(id), { signal, ...given({ after, types }) }),
    send: async (id, input, options) => await started(await open(id), input, options),
    cancel: async id => await (await open(id)).cancel(),
    abort: async id => await (await open(id)).abort(),
    recover: async (id, options) => {
      const { plan, run } = await (await open(id)).recover(options)
      await run?.result()
      return { plan, runId: run?.id ?? null }
    },
    map: asked => localMap(skein, asked),
    approvals: async id => await (await open(id)).approvals.list(),
    answerApproval: async (id, answer) => {
      const { session } = await sessions.approval(id)
      return await (await open(session)).approvals.answer(id, answer)
    },
    previewRewind: async (id, options) => await (await open(id)).checkpoints.preview(options),
    applyRewind: async (id, token) => await (await open(id)).checkpoints.apply(token),
    models: () => Promise.resolve({ items: models.list() }),
    checkModel: async ref => {
      const { problem, ...check } = await models.check(ref)
      const { code, message, retryable, details } = problem ?? {}
      return { ...check, problem: problem === null ? null : { code, message, retryable, details } }
    },
    [Symbol.asyncDispose]: () => house.close(),
  }
}

/** As many as a server gives at once. */
const turnsAtOnce = 100

function turnsPage(items: TurnsPage['items']): TurnsPage {
  const last = items.at(-1)
  return { items, ...(last === undefined || items.length < turnsAtOnce ? {} : { next: last.index }) }
}

async function* exported(opening: Promise<Session>, format: ExportFormat): AsyncGenerator<string> {
  const session = await opening
  if (format === 'messages') yield JSON.stringify(await session.export('messages'))
  else yield* session.exportLines(format)
}

async function* eventsOf(opening: Promise<Session>, options: Parameters<Session['events']>[0]): AsyncGenerator<SessionEvent> {
  yield* (await opening).events(options)
}

/** What died here goes on first, where nobody has to be asked. */
async function carryOn(session: Session): Promise<void> {
  if ((await session.info()).running === null) return
  // Why it can't be carried on shows when the new input is refused, or else it is ended by that.
  const { run } = await session.recover({ apply: true }).catch(() => ({ run: null }))
  await run?.result()
}

async function started(session: Session, input: string, options: Parameters<Verbs['send']>[2]): Promise<Started> {
  await carryOn(session)
  const run = session.send(input, options)
  const receipt = await run.receipt
  return {
    receipt,
    cancel: () => run.cancel(),
    steer: text => run.steer(text),
    async *events(signal) {
      for await (const event of run) {
        if (signal.aborted) return
        yield event
      }
      // The run's own end, its lease and its last reads included.
      await run.result()
    },
  }
}
