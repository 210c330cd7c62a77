import type { CheckpointId, CheckpointSettled, FileState } from '#journal'
import { type Draft, draft, type Plan, type SessionCore } from '#session'
import { savePlans } from './checkpoint-plan.ts'
import type { Tool } from './definition.ts'
import { capture, sameState, standingOf } from './file-states.ts'
import { Place } from './place.ts'
import { placesOf } from './tool-places.ts'

/**
 * The checkpoint of one call: how the files that it writes stood before, each once, and after. There is none of a call that
 * writes nothing. Source: spec/agent.md 15.
 */
export class CallCheckpoint {
  readonly #core: SessionCore
  readonly #tool: Tool
  readonly #callId: string
  readonly #marks: Partial<Draft>
  /** Where the session works. */
  readonly cwd: string | null
  /** How each file stood; undefined for one that cannot be kept. */
  readonly #before = new Map<string, FileState | undefined>()
  readonly #changed: string[] = []
  #checkpoint: CheckpointId | undefined
  #place: Place | undefined

  constructor(core: SessionCore, tool: Tool, callId: string, cwd: string | null, marks: Partial<Draft>) {
    this.#core = core
    this.#tool = tool
    this.#callId = callId
    this.cwd = cwd
    this.#marks = marks
  }

  /**
   * For the commit that begins the call: what the tool says it will write, as it stands. What can't be looked at now is left
   * to the tool, which will say so.
   */
  async begin(input: unknown): Promise<Plan> {
    if (placesOf([this.#tool]).length === 0 || this.#tool.kind !== 'write') return { drafts: [] }
    const paths = (this.#tool.resources?.(input) ?? []).flatMap(touched => ('path' in touched ? [touched.path] : []))
    const [first = { drafts: [] }, ...more] = await this.#plans(paths).catch(() => [])
    for (const plan of more) await this.#core.side(() => plan)
    return first
  }

  /** Keeps these files unless they are kept already. Durable when it resolves. */
  async save(paths: readonly string[]): Promise<void> {
    for (const plan of await this.#plans(paths)) await this.#core.side(() => plan)
  }

  /** How the files stand now that the call has ended. */
  async settled(): Promise<readonly Draft[]> {
    const place = this.#place
    if (this.#checkpoint === undefined || place === undefined) return []
    const files: FileState[] = []
    for (const [path, before] of this.#before) {
      const standing = await standingOf(place, path).catch(() => undefined)
      const after = standing !== undefined && 'state' in standing ? standing.state : undefined
      if (after !== undefined) files.push(after)
      if (before === undefined || after === undefined || !sameState(before, after)) this.#changed.push(path)
    }
    const data: CheckpointSettled = { checkpoint: this.#checkpoint, cwd: place.root, files }
    return [draft('checkpoint_settled', data, this.#marks)]
  }

  /** Once it is settled: what the call changed of what it kept, or may have changed, as its tool's place names it. */
  get changed(): readonly string[] {
    return this.#changed
  }

  /** The folder that those names are relative to. */
  get root(): string | null {
    return this.#place?.root ?? null
  }

  async #plans(paths: readonly string[]): Promise<Plan[]> {
    const place = (this.#place ??= placesOf([this.#tool])[0] ?? this.#ownPlace())
    const fresh: string[] = []
    for (const path of paths) {
      const shown = place.shown(await place.real(path))
      if (!this.#before.has(shown)) fresh.push(shown)
    }
    if (fresh.length === 0) return []
    const captured = await capture(place, fresh)
    this.#checkpoint ??= this.#core.runtime.ids('chk')
    const as = {
      checkpoint: this.#checkpoint,
      cause: 'call',
      cwd: place.root,
      callId: this.#callId,
      tool: this.#tool.name,
    } as const
    for (const path of fresh) this.#before.set(path, undefined)
    for (const state of captured.files) this.#before.set(state.path, state)
    return savePlans(captured, as, this.#marks)
  }

  #ownPlace(): Place {
    if (this.cwd === null) throw new Error('The session has no cwd, so none of its files can be kept.')
    return new Place(this.cwd)
  }
}
