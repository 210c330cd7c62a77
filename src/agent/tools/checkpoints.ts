import { aFlag, aText, blobId, given, invalidInput, isObject, isId, listOf, shape, SkeinError, type TurnId } from '#kernel'
import { type CheckpointId, type CheckpointSaved, type Entry, type FilesRewound, type FileState, isType } from '#journal'
import { busyWithRun, draft, type SessionCore } from '#session'
import type { EntryId, Json, RunId } from '#kernel'
import { savePlans } from './checkpoint-plan.ts'
import { capture, sameState, standingOf } from './file-states.ts'
import { Place } from './place.ts'
import { type Remembered, remembered, type RewindItem, rewindItem } from './rewind-plan.ts'

export interface CheckpointInfo extends Omit<CheckpointSaved, 'parts'> {
  readonly seq: number
  readonly at: number
  readonly turn?: TurnId
  readonly run?: RunId
}

export interface SaveOptions {
  readonly paths: readonly string[]
  readonly label?: string
  /** Whose files; default: where the session's file tools work. */
  readonly cwd?: string
}

export interface RewindOptions {
  /** A checkpoint, its label, or a turn: what is to be as it was before that. */
  readonly to: string
  /** Default `true`. */
  readonly files?: boolean
  /** The conversation goes back, too. Default `false`. */
  readonly conversation?: boolean
  /** Also what was changed by others since the agent wrote it. */
  readonly force?: boolean
  readonly cwd?: string
}

export interface RewindPreview {
  readonly token: string
  readonly items: readonly RewindItem[]
  /** The entry that the conversation would end at. */
  readonly conversation: EntryId | null
}

export interface Rewound {
  /** Keeps what was put aside; `null` if no file was touched. */
  readonly checkpoint: CheckpointId | null
  readonly items: readonly RewindItem[]
  readonly conversation: EntryId | null
}

const check = {
  save: shape<SaveOptions>({ paths: listOf(aText, 'paths'), label: aText, cwd: aText }),
  preview: shape<RewindOptions>({ to: aText, files: aFlag, conversation: aFlag, force: aFlag, cwd: aText }),
}

const collection = 'rewind'
const tokenLifeMs = 24 * 3_600_000
const pageSize = 1_000
const checkpointTypes = ['checkpoint_saved', 'checkpoint_settled', 'files_rewound']

/** What a token stands for: every file that would be touched, as it stood then. */
interface Kept {
  readonly to: string
  readonly cwd: string | null
  readonly conversation: EntryId | null
  readonly files: readonly {
    readonly cwd: string
    readonly item: RewindItem
    readonly before: FileState
    readonly now: FileState
  }[]
  readonly skipped: readonly RewindItem[]
}

/** `session.checkpoints`: what is kept of files, and the way back. Laws A49 to A51. */
export class Checkpoints {
  readonly #core: SessionCore
  readonly #places: () => readonly Place[]
  readonly #moveTo: (entry: EntryId) => Promise<unknown>

  /** `places`: where this process may write. What was kept of other folders is not put back by it. */
  constructor(core: SessionCore, places: () => readonly Place[], moveTo: (entry: EntryId) => Promise<unknown>) {
    this.#core = core
    this.#places = places
    this.#moveTo = moveTo
  }

  /** From the oldest on. */
  async list(): Promise<CheckpointInfo[]> {
    const found = new Map<CheckpointId, CheckpointInfo>()
    for (const entry of await this.#entries(['checkpoint_saved'])) {
      if (!isType(entry, 'checkpoint_saved')) continue
      const { parts: _parts, ...saved } = entry.data
      const { seq, at, turn, run } = entry
      const before = found.get(saved.checkpoint)
      const files = [...(before?.files ?? []), ...saved.files]
      found.set(saved.checkpoint, { ...given({ turn, run }), ...saved, seq, at, ...before, files })
    }
    return [...found.values()]
  }

  /** Keeps files as they are, under a label. Throws for a path outside of `cwd`. */
  async save(options: SaveOptions): Promise<CheckpointInfo> {
    check.save(options)
    if (!isObject(options) || options.paths.length === 0) throw invalidInput('paths', 'Name at least one file.')
    const place = this.#placeOf(options.cwd)
    const captured = await capture(place, options.paths).catch((error: unknown) => {
      throw error instanceof SkeinError ? error : invalidInput('paths', error instanceof Error ? error.message : String(error))
    })
    const checkpoint = this.#core.runtime.ids('chk')
    const as = { checkpoint, cause: 'hand', cwd: place.root, ...given({ label: options.label }) } as const
    for (const plan of savePlans(captured, as)) await this.#core.side(() => plan)
    const saved = (await this.list()).find(known => known.checkpoint === checkpoint)
    if (saved === undefined) throw unknownCheckpoint(checkpoint)
    return saved
  }

  /** What going back would do. Touches nothing; the token is for `apply`, within a day. */
  async preview(options: RewindOptions): Promise<RewindPreview> {
    check.preview(options)
    const { to, files = true, conversation = false, force = false, cwd } = options
    if (typeof to !== 'string' || to === '') throw invalidInput('to', 'Name a checkpoint, a label or a turn.')
    if (!files && !conversation) throw invalidInput('files', 'Going back takes files, the conversation, or both.')
    const target = await this.#target(to)
    const { files: known, unprotected } = files
      ? remembered(await this.#entries(checkpointTypes), target.seq)
      : { files: [], unprotected: [] }
    const places = [...this.#places(), ...(cwd === undefined ? [] : [new Place(cwd)])]
    const looked = await Promise.all(known.map(file => this.#look(file, places, force)))
    const kept: Kept = {
      to,
      cwd: cwd ?? null,
      conversation: conversation ? await this.#leafBefore(target) : null,
      files: looked.flatMap(({ touched }) => touched ?? []),
      skipped: [
        ...looked.flatMap(({ item, touched }) => (touched === undefined ? [item] : [])),
        ...unprotected.map((path): RewindItem => ({ path, action: 'skip', reason: 'unprotected' })),
      ],
    }
    const token = Buffer.from(this.#core.runtime.random.bytes(new Uint8Array(16))).toString('hex')
    await this.#core.store.commit([
      {
        type: 'put_record',
        collection,
        key: `${this.#core.id} ${token}`,
        value: kept as unknown as Json,
        tags: [this.#core.id],
        expiresAt: this.#core.runtime.clock.now() + tokenLifeMs,
        expectVersion: 0,
      },
    ])
    return { token, items: [...kept.files.map(({ item }) => item), ...kept.skipped], conversation: kept.conversation }
  }

  /**
   * Does what was shown, after keeping how things stand now. Throws `checkpoint.stale`, with nothing touched, if a file
   * changed since, `session.busy` during a run, `checkpoint.not_found` for a token that is used or unknown.
   */
  async apply(token: string): Promise<Rewound> {
    const key = `${this.#core.id} ${typeof token === 'string' ? token : ''}`
    const record = await this.#core.store.record(collection, key)
    if (record === undefined || !isObject(record.value)) throw unknownCheckpoint(token)
    const kept = record.value as unknown as Kept
    const { running } = (await this.#core.row()).data
    if (this.#core.activeRun !== undefined) throw busyWithRun(this.#core.activeRun)
    if (isObject(running) && typeof running['run'] === 'string') throw busyWithRun(running['run'] as RunId)
    const places = [...this.#places(), ...(kept.cwd === null ? [] : [new Place(kept.cwd)])]
    const placeAt = (cwd: string): Place => {
      const place = places.find(({ root }) => root === cwd)
      if (place === undefined) throw stale('Nobody here may write there.')
      return place
    }
    for (const { cwd, item, before, now: then } of kept.files) {
      const standing = await standingOf(placeAt(cwd), item.path)
      if (!('state' in standing) || !sameState(standing.state, then)) throw stale(item.path)
      if (before.hash !== null && (await this.#content(before.hash)) === undefined) throw stale(item.path)
    }
    // The token is taken first, so of two that apply it only one goes on.
    await this.#core.store
      .commit([{ type: 'delete_record', collection, key, expectVersion: record.version }])
      .catch((error: unknown) => {
        throw new SkeinError('checkpoint.stale', 'This token was used meanwhile. Look again.', { cause: error })
      })
    const checkpoint = kept.files.length === 0 ? null : this.#core.runtime.ids('chk')
    const items: RewindItem[] = []
    for (const cwd of new Set(kept.files.map(file => file.cwd))) {
      const place = placeAt(cwd)
      const mine = kept.files.filter(file => file.cwd === cwd)
      const captured = await capture(
        place,
        mine.map(({ item }) => item.path),
      )
      for (const plan of savePlans(captured, { checkpoint: checkpoint as CheckpointId, cause: 'rewind', cwd }))
        await this.#core.side(() => plan)
      const states: FileState[] = []
      for (const file of mine) {
        const done = await this.#putBack(place, file.item, file.before)
        items.push(done)
        if (done.reason !== 'failed') states.push(file.before)
      }
      const data: FilesRewound = {
        to: kept.to,
        checkpoint,
        cwd,
        files: states,
        ...given({ leaf: kept.conversation ?? undefined }),
      }
      await this.#core.side(() => ({ drafts: [draft('files_rewound', data)] }))
    }
    if (kept.conversation !== null) await this.#moveTo(kept.conversation)
    return { checkpoint, items: [...items, ...kept.skipped], conversation: kept.conversation }
  }

  async #putBack(place: Place, item: RewindItem, before: FileState): Promise<RewindItem> {
    try {
      if (before.hash === null) await place.remove(item.path)
      else await place.write(item.path, (await this.#content(before.hash)) ?? new Uint8Array(), before.mode)
      return item
    } catch {
      return { path: item.path, action: 'skip', reason: 'failed' }
    }
  }

  async #look(
    file: Remembered,
    places: readonly Place[],
    force: boolean,
  ): Promise<{ readonly item: RewindItem; readonly touched?: Kept['files'][number] }> {
    const { cwd, before } = file
    const skip = (reason: RewindItem['reason']): { item: RewindItem } => ({ item: { path: before.path, action: 'skip', reason } })
    const place = places.find(({ root }) => root === cwd)
    if (place === undefined) return skip('outside_cwd')
    const standing = await standingOf(place, before.path)
    if (!('state' in standing)) return skip(standing.unprotected === 'too_large' ? 'changed_outside' : 'no_plain_file')
    const item = rewindItem(file, standing.state, force)
    if (item.action === 'skip') return { item }
    if (before.hash !== null && (await this.#content(before.hash)) === undefined) return skip('content_lost')
    return { item, touched: { cwd, item, before, now: standing.state } }
  }

  async #content(hash: string): Promise<Uint8Array | undefined> {
    const [row] = await this.#core.store.blobs([blobId(hash)])
    return row?.hash === hash ? row.bytes : undefined
  }

  #placeOf(cwd: string | undefined): Place {
    const place = cwd === undefined ? this.#places()[0] : new Place(cwd)
    if (place === undefined) throw invalidInput('cwd', 'Say which folder: this session has no file tools here.')
    return place
  }

  async #target(to: string): Promise<Entry> {
    if (/^trn_/.test(to)) {
      const turn = (await this.#entries(['turn_started'])).find(entry => entry.turn === to)
      if (turn !== undefined) return turn
      throw new SkeinError('turn.not_found', `Session ${this.#core.id} has no turn ${to}.`, {
        details: { session: this.#core.id, turn: to },
      })
    }
    const saved = (await this.#entries(['checkpoint_saved'])).filter(entry => isType(entry, 'checkpoint_saved'))
    const found = isId('chk', to)
      ? saved.find(({ data }) => data.checkpoint === to)
      : saved.findLast(({ data }) => data.label === to)
    if (found === undefined) throw unknownCheckpoint(to)
    return found
  }

  /** Where the branch stood before a turn, before the answer that asked for a call, or when a checkpoint was saved by hand. */
  async #leafBefore(target: Entry): Promise<EntryId> {
    const { store, id } = this.#core
    if (target.parentId !== null) return target.parentId
    const page = await store.entries(id, { before: target.seq, order: 'desc', limit: pageSize })
    const asked = target.run === undefined ? undefined : page.find(entry => isAnswer(entry) && entry.run === target.run)
    const before = asked === undefined ? page.find(({ parentId }) => parentId !== null)?.id : asked.parentId
    if (before == null) throw invalidInput('conversation', 'The conversation has no place to go back to.')
    return before
  }

  async #entries(types: readonly string[]): Promise<Entry[]> {
    await this.#core.row()
    const all: Entry[] = []
    for (let after = 0; ;) {
      const page = await this.#core.store.entries(this.#core.id, { after, types, limit: pageSize })
      all.push(...page)
      if (page.length < pageSize) return all
      after = page.at(-1)?.seq ?? after
    }
  }
}

const isAnswer = (entry: Entry): boolean => isType(entry, 'message_added') && entry.data.role === 'assistant'

const unknownCheckpoint = (checkpoint: string): SkeinError =>
  new SkeinError('checkpoint.not_found', `There is no checkpoint, label or token ${checkpoint}.`, { details: { checkpoint } })

const stale = (path: string): SkeinError =>
  new SkeinError('checkpoint.stale', `${path} changed since the preview, so nothing was touched. Look again.`, {
    details: { path },
  })
