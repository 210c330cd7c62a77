import { invalidInput, isSkeinError, oneOf, orNull, aText, type SessionId, shape, SkeinError } from '#kernel'
import type { TenantStore } from '#journal'
import { draft, family, SessionCore } from '#session'
import { runningIn } from './input-queue.ts'
import { type Approval, type ApprovalAnswer, approvalCollection, putApproval, readApproval } from './approvals-row.ts'

export interface AnswerInput {
  readonly decision: ApprovalAnswer['decision']
  /** Default `once`. */
  readonly scope?: ApprovalAnswer['scope']
  readonly reason?: string | null
  readonly by?: string | null
}

const checkAnswer = shape<AnswerInput>(
  { decision: oneOf('allow', 'deny'), scope: oneOf('once', 'run'), reason: orNull(aText), by: orNull(aText) },
  'answer',
)
const pageSize = 100

/** The questions of a session's runs to a person. They may be read and answered from any process. Laws A43, A44. */
export class Approvals {
  readonly #core: SessionCore

  constructor(core: SessionCore) {
    this.#core = core
  }

  /** What waits for an answer, here and in sub-sessions, oldest first. */
  async list(): Promise<readonly Approval[]> {
    await this.#core.row()
    const open: Approval[] = []
    for (const session of await family(this.#core)) open.push(...(await this.#openIn(session)))
    return open.sort((a, b) => a.requestedAt - b.requestedAt || (a.id < b.id ? -1 : 1))
  }

  async #openIn(id: SessionId): Promise<readonly Approval[]> {
    const { store } = this.#core
    const row = await store.session(id)
    const running = row?.state === 'active' ? runningIn(row)?.run : undefined
    const open: Approval[] = []
    if (running === undefined) return open
    for (let cursor: string | undefined; ;) {
      const page = await store.records(approvalCollection, {
        tag: id,
        limit: pageSize,
        ...(cursor === undefined ? {} : { cursor }),
      })
      for (const row of page.items) {
        const approval = readApproval(row)
        if (approval?.state === 'open' && approval.run === running) open.push(approval)
      }
      cursor = page.next
      if (cursor === undefined) return open
    }
  }

  /**
   * Says yes or no to one call, also of a sub-session; the run goes on wherever it is. The same answer again is one. Throws `approval.not_found`,
   * and `approval.answered` when it was answered otherwise or nobody waits for it any more.
   */
  async answer(id: string, input: AnswerInput): Promise<Approval> {
    checkAnswer(input)
    const { decision, scope = 'once', reason = null, by = null } = input ?? {}
    if (decision === undefined) throw invalidInput('decision', 'Expected one of allow, deny.')
    const core = this.#core
    return await core.verb(async () => {
      for (;;) {
        const row = await core.store.record(approvalCollection, id)
        const before = readApproval(row)
        if (row === undefined || before === undefined) throw unknown(id)
        const its = before.session === core.id ? core : await this.#below(before.session)
        if (its === undefined) throw unknown(id)
        if (before.state === 'answered' && before.answer?.decision === decision && before.answer.scope === scope) return before
        if (before.state !== 'open') throw answered(before)
        const answer: ApprovalAnswer = { decision, scope, reason, by, at: core.runtime.clock.now() }
        const after: Approval = { ...before, state: 'answered', answer }
        const told = { approval: before.id, callId: before.callId, decision, scope, reason, by }
        try {
          await its.side(() => ({
            drafts: [draft('approval_answered', told, { run: before.run, turn: before.turn, by: 'user' })],
            alongside: [putApproval(after, row.version)],
          }))
          return after
        } catch (error) {
          // Somebody else has answered meanwhile.
          if (!isSkeinError(error) || error.code !== 'store.conflict') throw error
        }
      }
    })
  }

  /** A sub-session of this one; undefined for any other. */
  async #below(id: SessionId): Promise<SessionCore | undefined> {
    const { store, runtime } = this.#core
    return (await family(this.#core)).has(id) ? new SessionCore(id, store, runtime) : undefined
  }
}

function answered({ id, state, answer }: Approval): SkeinError {
  const message =
    state === 'withdrawn' ? `Nobody waits for approval ${id} any more.` : `Approval ${id} was answered with ${answer?.decision}.`
  return new SkeinError('approval.answered', message, {
    details: { approval: id, state, decision: answer?.decision ?? null, scope: answer?.scope ?? null },
  })
}

/** Throws `approval.not_found`. */
export async function findApproval(stores: readonly TenantStore[], id: string): Promise<Approval> {
  for (const store of stores) {
    const approval = readApproval(await store.record(approvalCollection, id))
    if (approval !== undefined) return approval
  }
  throw unknown(id)
}

const unknown = (id: string): SkeinError =>
  new SkeinError('approval.not_found', `There is no approval ${id}.`, { details: { approval: id } })
