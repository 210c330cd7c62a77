import { isObject, isSkeinError, messageOf } from '#kernel'
import { draft, type Draft, type SessionCore } from '#session'
import { isLeft } from './active-runs.ts'
import { Approvals } from './approvals.ts'
import { type Approval, approvalCollection, putApproval, readApproval } from './approvals-row.ts'
import type { UserInterface } from './tool.ts'
import { hasUi, uiFor } from './ui.ts'

/** A question before it is asked. */
export type Question = Omit<Approval, 'id' | 'session' | 'requestedAt' | 'state' | 'answer'>

/**
 * Asks a person about one call and waits until there is an answer, from whatever process; one that was asked before, or
 * answered for the whole run, is not asked again; one about the call as it was before, or under another policy, is withdrawn.
 * When `signal` aborts, so is this one. `drafts` are written with a new question. Under a user interface the person there is
 * asked, too. Laws A43, A44.
 */
export async function askPerson(
  core: SessionCore,
  question: Question,
  drafts: readonly Draft[],
  signal: AbortSignal,
  ui?: Partial<UserInterface>,
): Promise<Approval> {
  let { seq } = await core.row()
  const { known, stale } = await earlier(core, question)
  for (const old of stale) await withdraw(core, old)
  if (known !== undefined && known.state !== 'open') return known
  let approval = known
  if (approval === undefined) {
    approval = {
      ...question,
      id: core.runtime.ids('apr'),
      session: core.id,
      requestedAt: core.runtime.clock.now(),
      state: 'open',
      answer: null,
    }
    const { id, callId, tool, hash, source, code, message, run, turn } = approval
    const asked = draft('approval_requested', { approval: id, callId, tool, hash, source, code, message }, { run, turn })
    const put = putApproval(approval, 0)
    const { entries } = await core.side(() => ({ drafts: [...drafts, asked], alongside: [put] }))
    seq = entries.at(-1)?.seq ?? seq
  }
  const asking = new AbortController()
  if (hasUi(ui)) void askAt(core, ui, approval, AbortSignal.any([signal, asking.signal]))
  try {
    const answered = await answerTo(core, approval, seq, signal)
    // Of a run that is left to recovery the question is left, too.
    return answered ?? (isLeft(signal) ? approval : await withdraw(core, approval))
  } finally {
    asking.abort()
  }
}

const questionOf = ({ source, tool, input, message }: Approval): string =>
  source === 'gate' ? message : `${message} Allow ${tool} ${JSON.stringify(input)}?`

/** What the person at the user interface says is an answer like any other; who says nothing leaves the question open. */
async function askAt(
  core: SessionCore,
  ui: Partial<UserInterface> | undefined,
  approval: Approval,
  signal: AbortSignal,
): Promise<void> {
  try {
    const said = await uiFor(core, ui, signal).confirm(questionOf(approval))
    if (typeof said !== 'boolean' || signal.aborted) return
    await new Approvals(core).answer(approval.id, { decision: said ? 'allow' : 'deny', by: 'ui' })
  } catch (error) {
    // Somebody else has answered meanwhile.
    if (isSkeinError(error) && error.code === 'approval.answered') return
    const failure = `The question about ${approval.tool} could not be asked here; it stays open: ${messageOf(error)}`
    core.runtime.notice({ level: 'warn', code: 'ui.failed', message: failure, session: core.id, tenant: core.store.tenant })
  }
}

/** Of the newest question about this exact call, else an answer for the run that covers it. */
async function earlier(
  core: SessionCore,
  question: Question,
): Promise<{ readonly known: Approval | undefined; readonly stale: readonly Approval[] }> {
  const { run, tool, code, policy, callId, hash } = question
  const mine = (await approvalsBy(core, core.id)).filter(known => known.run === run)
  const exact = mine.filter(known => known.hash === hash && known.state !== 'withdrawn').at(-1)
  const covers = ({ answer, ...known }: Approval): boolean =>
    answer?.scope === 'run' && known.tool === tool && known.code === code && known.policy === policy
  return {
    known: exact ?? mine.find(covers),
    stale: mine.filter(old => old.state === 'open' && old.callId === callId && old.hash !== hash),
  }
}

async function approvalsBy(core: SessionCore, tag: string): Promise<Approval[]> {
  const found: Approval[] = []
  for (let cursor: string | undefined; ;) {
    const page = await core.store.records(approvalCollection, { tag, ...(cursor === undefined ? {} : { cursor }) })
    found.push(...page.items.flatMap(row => readApproval(row) ?? []).filter(({ session }) => session === core.id))
    cursor = page.next
    if (cursor === undefined) return found.sort((a, b) => a.requestedAt - b.requestedAt || (a.id < b.id ? -1 : 1))
  }
}

/** `undefined` once the signal has aborted. */
async function answerTo(core: SessionCore, { id }: Approval, after: number, signal: AbortSignal): Promise<Approval | undefined> {
  if (signal.aborted) return undefined
  for await (const entry of core.store.watch(core.id, after, { signal })) {
    const isAnswer = entry.type === 'approval_answered' && isObject(entry.data) && entry.data['approval'] === id
    if (isAnswer) return readApproval(await core.store.record(approvalCollection, id))
  }
  return undefined
}

/** An answer that came at the same moment stands. */
async function withdraw(core: SessionCore, approval: Approval): Promise<Approval> {
  const after: Approval = { ...approval, state: 'withdrawn' }
  for (;;) {
    const row = await core.store.record(approvalCollection, approval.id)
    const now = readApproval(row)
    if (row === undefined || now === undefined) return after
    if (now.state !== 'open') return now
    const told = { approval: now.id, callId: now.callId, decision: 'withdrawn' }
    try {
      await core.side(() => ({
        drafts: [draft('approval_answered', told, { run: now.run, turn: now.turn })],
        alongside: [putApproval(after, row.version)],
      }))
      return after
    } catch (error) {
      if (!isSkeinError(error) || error.code !== 'store.conflict') throw error
    }
  }
}
