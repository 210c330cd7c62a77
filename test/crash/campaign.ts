import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom, type Random, type SessionId } from '#kernel'
import { Crew, type Writer } from './crew.ts'
import { tenant } from './deeds.ts'
import { readDiary, toldBy, type Told } from './diary.ts'
import { estate, inherit, judgeHolds, judgeSearch, retryKeyed } from './heirs.ts'
import { Judge, judgeJobs } from './judge.ts'
import { type Breach, Ledger, type Violation } from './ledger.ts'
import { pickPoints } from './points.ts'
import type { Place } from './place.ts'
import { openStage, type OpenStage, timeOf } from './stage.ts'
import type { Task } from './writer.ts'

/** How often everything is read again, and after how many generations a history makes room for the next. */
const fullEvery = 25
const placeLife = 200

export interface Wounded extends Violation {
  /** Which writer, and how it died. */
  readonly where: string
}

export interface Summary {
  readonly kills: number
  readonly acknowledged: number
  readonly violations: readonly Wounded[]
}

/** At a probe; so long after its store was open, or after it was told to open it; or never. */
type Moment = { readonly killAt: number } | { readonly afterMs: number; readonly opening: boolean }
type Death = Moment | undefined

/**
 * One store's ordeal: writers are killed one generation after the other on one history, and after each the store is held
 * against the diaries. What it did is repeatable by its seed, but for the moments of kills from outside.
 */
export class Campaign {
  readonly #makePlace: () => Promise<Place> | Place
  readonly #crew = new Crew()
  readonly #folder = mkdtempSync(join(tmpdir(), 'skein-diaries-'))
  readonly #random: Random
  readonly #seed: number
  readonly #violations: Wounded[] = []
  #place: Place | undefined
  #ledger = new Ledger()
  #common: SessionId | undefined
  #inherited: readonly SessionId[] = []
  #generation = 0
  #sinceFull = 0
  #born = 0
  #kills = 0
  #acknowledged = 0

  constructor(makePlace: () => Promise<Place> | Place, seed: number) {
    this.#makePlace = makePlace
    this.#seed = seed
    this.#random = seededRandom(seed)
  }

  get summary(): Summary {
    return {
      kills: this.#kills,
      acknowledged: this.#acknowledged + this.#ledger.acknowledged,
      violations: this.#violations,
    }
  }

  get place(): Place {
    if (this.#place === undefined) throw new Error('There is no place yet.')
    return this.#place
  }

  /** Kills at points of the script: `all` of them, or so many, every kind of point among them. First those of a store's birth. */
  async systematically(points: 'all' | number): Promise<void> {
    const first = await this.#rehearse(true)
    const births = pickPoints(first.names.slice(0, first.opened), 0, points === 'all' ? 'all' : Math.ceil(points / 10))
    for (const point of births) await this.#birth(point)
    const { opened, names } = await this.#rehearse(true, 2)
    const wanted = points === 'all' ? 'all' : Math.max(0, points - births.length)
    for (const killAt of pickPoints(names, opened, wanted)) await this.#script(killAt)
    // The script's own course varies a little with what stands in the store: go on until it comes to its end.
    if (points === 'all') for (let killAt = names.length + 1; await this.#script(killAt); killAt++);
  }

  /** Kills at so many random moments: one writer, or two of which the second outlives the first. */
  async randomly(kills: number): Promise<void> {
    for (const goal = this.#kills + kills; this.#kills < goal;) {
      await this.#renewWhenOld()
      await (goal - this.#kills > 1 && this.#random.number() < 0.3 ? this.#pair() : this.#single())
    }
  }

  /**
   * Lets a writer go on until `disturb` is through, then asks it to end. `heard` settles when the writer was acknowledged so
   * many verbs in all. `power`: what was only relaxed may be gone.
   */
  async disturbed(
    what: string,
    disturb: (heard: (acks: number) => Promise<void>) => Promise<void>,
    { power = false }: { readonly power?: boolean } = {},
  ): Promise<void> {
    await this.#settle()
    this.#inherited = []
    const task = this.#task('endless')
    const writer = await this.#crew.next()
    writer.begin(task)
    let gone = false
    writer.ended.catch(() => undefined).finally(() => (gone = true))
    await disturb(async acks => {
      while (readDiary(task.diary).filter(line => line.t === 'ack').length < acks) {
        if (gone) throw new Error(`The writer ended by itself during: ${what}.`)
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    })
    writer.stop()
    await writer.ended
    await this.#judge([task], what, { full: true, power })
  }

  async finish(): Promise<Summary> {
    try {
      if (this.#place !== undefined && this.#sinceFull > 0) await this.#judge([], 'the end', { full: true })
    } finally {
      await this.#crew.close()
      await this.#leave()
      rmSync(this.#folder, { recursive: true, force: true })
    }
    return this.summary
  }

  /** Runs the script to its end; says at which probes the store was open, and what they were called. */
  async #rehearse(fresh: boolean, times = 1): Promise<{ opened: number; names: readonly string[] }> {
    if (fresh) await this.#leave()
    let heard = { opened: 0, names: [] as readonly string[] }
    for (let n = 0; n < times; n++) {
      if (n > 0 || !fresh) await this.#settle()
      this.#place ??= await this.#makePlace()
      const task = this.#task('script')
      await this.#run(task, undefined)
      const lines = readDiary(task.diary)
      heard = {
        opened: lines.find(line => line.t === 'opened')?.probes ?? 0,
        names: lines.find(line => line.t === 'done')?.names ?? [],
      }
      await this.#judge([task], 'a writer that was not killed', { full: true })
    }
    return heard
  }

  /** Kills a writer while it makes the store; whoever comes next finds nothing, or a store. */
  async #birth(killAt: number): Promise<void> {
    await this.#leave()
    this.#place = await this.#makePlace()
    const task = this.#task('script', { killAt })
    await this.#run(task, { killAt })
    await this.#judge([task], `the birth of a store, point ${killAt}`, { full: true })
  }

  /** True if the writer died before its end. */
  async #script(killAt: number): Promise<boolean> {
    await this.#renewWhenOld()
    await this.#settle()
    const task = this.#task('script', { killAt })
    const died = await this.#run(task, { killAt })
    await this.#judge([task], `point ${killAt}`)
    return died
  }

  async #single(): Promise<void> {
    await this.#settle()
    const death = this.#moment()
    const task = this.#task('endless', death)
    await this.#run(task, death)
    await this.#judge([task], words(death))
  }

  async #pair(): Promise<void> {
    await this.#settle()
    // The second one has to live until it has been looked at, so it is killed from outside.
    const deaths = [this.#moment(), { afterMs: Math.floor(this.#random.number() * 60), opening: false }] as const
    const tasks = deaths.map((death, index) => this.#task('endless', death, index))
    const writers = [await this.#crew.next(), await this.#crew.next()]
    for (const [index, writer] of writers.entries()) writer.begin(tasks[index] as Task)
    await this.#die(writers[0] as Writer, deaths[0])
    await writers[1]?.opened
    await this.#outlived(tasks[1] as Task)
    await this.#die(writers[1] as Writer, deaths[1])
    await this.#judge(tasks, `two writers, ${deaths.map(words).join(' and ')}`)
    this.#generation++
  }

  /** While the second writer lives, nobody robs it. */
  async #outlived(task: Task): Promise<void> {
    const stage = await openStage(this.place.address, timeOf(this.place.address, this.#generation))
    try {
      await judgeHolds(new Judge(this.#ledger, stage, toldBy(readDiary(task.diary))), true)
    } finally {
      await stage.close()
    }
  }

  /** Half of them at a probe, which is repeatable; half whenever it may be, also in the midst of a call to the system. */
  #moment(): Moment {
    const within = (from: number, to: number): number => from + Math.floor(this.#random.number() * (to - from))
    if (this.#random.number() < 0.5) return { killAt: within(1, this.#random.number() < 0.9 ? 150 : 600) }
    return { afterMs: this.#random.number() < 0.9 ? within(0, 100) : within(100, 400), opening: this.#random.number() < 0.1 }
  }

  #task(mode: Task['mode'], death?: Death, writer = 0): Task {
    const name = `g${this.#generation.toString(36)}w${writer}`
    return {
      address: this.place.address,
      diary: join(this.#folder, `${name}.jsonl`),
      now: timeOf(this.place.address, this.#generation),
      seed: mode === 'script' ? this.#seed : this.#seed + this.#generation * 2 + writer,
      orders: { name, inherited: writer === 0 ? this.#inherited : [], common: this.#common },
      mode,
      ...(death !== undefined && 'killAt' in death ? { killAt: death.killAt } : {}),
    }
  }

  async #run(task: Task, death: Death): Promise<boolean> {
    const writer = await this.#crew.next()
    writer.begin(task)
    return await this.#die(writer, death)
  }

  async #die(writer: Writer, death: Death): Promise<boolean> {
    if (death !== undefined && 'afterMs' in death) {
      if (!death.opening) await writer.opened
      await new Promise(resolve => setTimeout(resolve, death.afterMs))
      writer.kill()
    }
    const died = (await writer.ended) === 'SIGKILL'
    if (died) this.#kills++
    return died
  }

  /** A place with a session that all writers share, if there is none. */
  async #settle(): Promise<void> {
    this.#place ??= await this.#makePlace()
    if (this.#common !== undefined) return
    const stage = await openStage(this.place.address, timeOf(this.place.address, this.#generation))
    this.#common = (await stage.faces[0].sessions.open('common', { orCreate: {} })).id
    await this.#ledger.catchUp(stage.store.in(tenant), this.#common)
    await stage.close()
  }

  async #renewWhenOld(): Promise<void> {
    if (this.#generation - this.#born < placeLife) return
    await this.#judge([], 'an old history', { full: true })
    await this.#leave()
  }

  async #leave(): Promise<void> {
    await this.#place?.remove()
    this.#place = undefined
    this.#common = undefined
    this.#inherited = []
    this.#acknowledged += this.#ledger.acknowledged
    this.#ledger = new Ledger()
    this.#born = this.#generation
  }

  /** Holds the store against what the writers told. */
  async #judge(tasks: readonly Task[], where: string, { full = false, power = false } = {}): Promise<void> {
    const { address } = this.place
    await this.place.settled()
    const generation = this.#generation++
    // Where leases of the dead run out by time alone, that time passes.
    const patience = address.adapter === 'sqlite' ? 0 : 61_000
    const stage = await openStage(address, timeOf(address, generation) + patience)
    try {
      await this.#judgeTasks(stage, tasks, `g${generation.toString(36)}`, power)
      if (full || ++this.#sinceFull >= fullEvery) await this.#judgeAll(stage)
    } catch (error) {
      this.#ledger.breach('writer', `judging failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    } finally {
      await stage.close()
    }
    for (const violation of this.#ledger.violations.splice(0))
      this.#violations.push({ ...violation, where: `generation ${generation}, ${where}` })
  }

  async #judgeTasks(stage: OpenStage, tasks: readonly Task[], name: string, power: boolean): Promise<void> {
    const told: Told[] = []
    for (const [index, task] of tasks.entries()) {
      const lines = readDiary(task.diary)
      for (const line of lines) if (line.t === 'fault') this.#ledger.breach('writer', line.message)
      told.push(...toldBy(lines).map(one => ({ ...one, n: one.n + index * 1e6, author: `${index}${one.author}` })))
      rmSync(task.diary, { force: true })
    }
    const judge = new Judge(this.#ledger, stage, told, { power })
    await judge.judge()
    if (!power) await judgeHolds(judge, false)
    const [heir, ...others] = estate(judge, this.#common)
    if (heir !== undefined) await inherit(judge, heir, `${name}heir`)
    await retryKeyed(judge)
    await judgeSearch(judge, 3)
    this.#inherited = others.slice(0, 2)
  }

  async #judgeAll(stage: OpenStage): Promise<void> {
    this.#sinceFull = 0
    const { findings } = await stage.store.check({ deep: true })
    for (const finding of findings) this.#ledger.breach('finding', `${finding.kind} ${finding.session}: ${finding.message}`)
    await this.#ledger.recount(stage.store.in(tenant))
    await judgeJobs(this.#ledger, stage)
  }
}

const words = (death: Moment): string =>
  'killAt' in death ? `probe ${death.killAt}` : `${death.afterMs} ms after ${death.opening ? 'it began to open' : 'it was open'}`

/** `12 kills, 345 acknowledged entries, lost 0, …`, as the command and its readers count. */
export function tell({ kills, acknowledged, violations }: Summary): string {
  const counted: readonly Breach[] = ['lost', 'doubled', 'reordered', 'finding']
  const of = (breach: Breach): number => violations.filter(violation => violation.breach === breach).length
  const other = violations.filter(({ breach }) => !counted.includes(breach)).length
  return [
    `${kills} kills`,
    `${acknowledged} acknowledged entries`,
    `lost ${of('lost')}`,
    `doubled ${of('doubled')}`,
    `reordered ${of('reordered')}`,
    `findings ${of('finding')}`,
    `other ${other}`,
  ].join(', ')
}
