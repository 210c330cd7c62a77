import { given, invalidInput, isSkeinError, SkeinError } from '#kernel'
import { check, type Draft, draft, type SessionCore, type VerbOptions, writeOptions } from '#session'
import { readFolding } from './read-state.ts'
import { refreshDue } from './refresh-due.ts'
import { commitmentOf, type Folding } from './state-fold.ts'
import {
  checkState,
  type CommitmentInput,
  type DueOptions,
  readCommitment,
  readPatch,
  readReason,
  type UpdateOptions,
} from './state-input.ts'
import { stateReader, stateTurn } from './state-turn.ts'
import type { Commitment, CommitmentStatus, StatePatch, WorkingState } from './working-state.ts'

/** `session.state`: what the session is about. Each verb is one entry or none; losing a race, it looks again. */
export class StateVerbs {
  readonly #core: SessionCore

  constructor(core: SessionCore) {
    this.#core = core
  }

  /** A copy of the state as it is now. */
  async get(): Promise<WorkingState> {
    return structuredClone((await this.#folding()).state)
  }

  /** Changes the fields that are given; `null` clears. An objective that is set here is replaced by no message. Laws M63, M64. */
  async update(patch: StatePatch, options: UpdateOptions = {}): Promise<WorkingState> {
    const set = readPatch(patch)
    checkState.update(options)
    const { version, ...writing } = options
    const after = await this.#write('state.update', { set, version }, writing, ({ state, told }) => {
      if (version !== undefined && version !== state.version) throw staleVersion(version, state.version)
      const isSame = (field: keyof StatePatch): boolean => JSON.stringify(set[field] ?? []) === JSON.stringify(state[field] ?? [])
      const fields = (Object.keys(set) as (keyof StatePatch)[]).filter(
        // The same objective, told, is one that no message replaces any more.
        field => !isSame(field) || (field === 'objective' && (told !== (set.objective !== null) || state.suggested !== null)),
      )
      return fields.length === 0 ? [] : [draft('state_changed', { set: { ...set } })]
    })
    return after.state
  }

  /** Records a commitment. One with this text and kind is given back as it is, whatever became of it. Law M65. */
  async add(commitment: CommitmentInput, options: VerbOptions = {}): Promise<Commitment> {
    const { text, kind } = readCommitment(commitment)
    check.verb(options)
    const id = this.#core.runtime.ids('cmt')
    const { state } = await this.#write('state.add', { text, kind }, options, ({ state }) =>
      commitmentOf(state, text, kind) === undefined ? [draft('commitment_added', { id, text, kind })] : [],
    )
    return commitmentOf(state, text, kind) as Commitment
  }

  /** Says what became of a commitment, by its id or its whole text. Throws `commitment.not_found`. Law M66. */
  async resolve(
    ref: string,
    status: Exclude<CommitmentStatus, 'open'>,
    reason?: string | null,
    options: VerbOptions = {},
  ): Promise<Commitment> {
    checkState.status(status)
    check.verb(options)
    return await this.#settle('state.resolve', ref, status, readReason(reason), options)
  }

  /** Opens a commitment again. Throws `commitment.not_found`. */
  async reopen(ref: string, options: VerbOptions = {}): Promise<Commitment> {
    check.verb(options)
    return await this.#settle('state.reopen', ref, 'open', undefined, options)
  }

  /** Empties every field and forgets all commitments; the entries stay. */
  async clear(options: VerbOptions = {}): Promise<WorkingState> {
    check.verb(options)
    const after = await this.#write('state.clear', {}, options, ({ state }) =>
      isEmpty(state) ? [] : [draft('state_changed', { cleared: true })],
    )
    return after.state
  }

  /** Whether so much was said since a refresh last looked that it is time to look again: 10 turns, or 10,000 tokens. Law M68. */
  async due(thresholds: DueOptions = {}): Promise<boolean> {
    checkState.due(thresholds)
    return await refreshDue(this.#core, await this.#core.row(), thresholds)
  }

  async #settle(
    verb: string,
    ref: string,
    status: CommitmentStatus,
    reason: string | undefined,
    options: VerbOptions,
  ): Promise<Commitment> {
    if (typeof ref !== 'string') throw invalidInput('id', 'Expected the id of a commitment, or its text.')
    let id: string | undefined
    const { state } = await this.#write(verb, { ref, status, reason }, options, ({ state }) => {
      const known = namedBy(state, ref)
      if (known === undefined) throw unknownCommitment(ref)
      id = known.id
      return known.status === status ? [] : [draft('commitment_resolved', { id: known.id, status, ...given({ reason }) })]
    })
    const commitment = state.commitments.find(one => one.id === id) ?? namedBy(state, ref)
    if (commitment === undefined) throw unknownCommitment(ref)
    return commitment
  }

  async #folding(): Promise<Folding> {
    return await readFolding(this.#core, await this.#core.row())
  }

  /**
   * Decides by the newest state and writes it: whoever writes second reads again and decides anew. What was decided for an
   * idempotency key before is not decided again.
   */
  async #write(verb: string, asked: object, options: VerbOptions, decide: (now: Folding) => readonly Draft[]): Promise<Folding> {
    const core = this.#core
    return await core.verb(async () => {
      for (let tries = 1; ; tries++) {
        try {
          const turn = await core.store.watermark(core.id, stateReader)
          await core.side(
            async row => {
              const drafts = decide(await readFolding(core, row)).map(item => ({ by: 'user', ...item }))
              return drafts.length === 0 ? { drafts } : { drafts, alongside: [stateTurn(core.id, row.seq + 1, turn)] }
            },
            writeOptions(verb, options, asked),
          )
          return structuredClone(await this.#folding())
        } catch (error) {
          const isRace = isSkeinError(error) && error.code === 'store.conflict' && error.details['change'] !== undefined
          if (!isRace || tries === mostTries) throw error
        }
      }
    })
  }
}

const mostTries = 10

function namedBy(state: WorkingState, ref: string): Commitment | undefined {
  return state.commitments.find(({ id }) => id === ref) ?? commitmentOf(state, ref)
}

const isEmpty = ({ objective, stage, nextStep, blockers, commitments, suggested }: WorkingState): boolean =>
  [objective, stage, nextStep, suggested].every(field => field === null) && blockers.length + commitments.length === 0

function staleVersion(expected: number, actual: number): SkeinError {
  return new SkeinError('store.conflict', `The working state is at version ${actual}, not ${expected}. Read it again.`, {
    details: { expected: { version: expected }, actual: { version: actual } },
  })
}

function unknownCommitment(ref: string): SkeinError {
  return new SkeinError('commitment.not_found', 'The session has no such commitment.', { details: { commitment: ref } })
}
