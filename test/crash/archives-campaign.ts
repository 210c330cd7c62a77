import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSkeinError, manualClock, type Random, seededRandom } from '#kernel'
import { openSkein, type Session, type Skein } from '#skein'
import { archiving, type ArchivistTask, type DiaryLine } from './archivist.ts'
import { Crew } from './crew.ts'
import { openAt, type Place } from './place.ts'

/** How many deaths one history takes before another begins, and how often it is driven to its end and read whole. */
const placeLife = 60
const settleEvery = 15
/** What is lost stays lost, so not after every death is everything read again. */
const readEvery = 3

export interface ArchivesSummary {
  readonly kills: number
  readonly messages: number
  readonly archives: number
  readonly violations: readonly string[]
}

/**
 * Kills processes in the midst of sealing, summarizing and merging, one after the other on one history, and holds it against
 * what they were told was durable. Law M11.
 */
export class ArchivesCampaign {
  readonly #makePlace: () => Promise<Place> | Place
  readonly #crew = new Crew<ArchivistTask>('archivist.ts')
  readonly #folder = mkdtempSync(join(tmpdir(), 'skein-archivists-'))
  readonly #random: Random
  readonly #violations: string[] = []
  #place: Place | undefined
  #session = ''
  #lines: DiaryLine[] = []
  #generation = 0
  #probes = 0
  #deaths = 0
  #kills = 0
  #messages = 0
  #archives = 0

  constructor(makePlace: () => Promise<Place> | Place, seed: number) {
    this.#makePlace = makePlace
    this.#random = seededRandom(seed)
  }

  get summary(): ArchivesSummary {
    return { kills: this.#kills, messages: this.#messages, archives: this.#archives, violations: this.#violations }
  }

  async kill(times: number): Promise<void> {
    for (const goal = this.#kills + times; this.#kills < goal && this.#violations.length === 0;) {
      if (this.#place === undefined || this.#deaths % placeLife === 0) await this.#begin()
      const killAt = 1 + Math.floor(this.#random.number() * this.#probes)
      const ended = await this.#run(killAt)
      if (ended === 'SIGKILL') this.#kills++
      await this.#place?.settled()
      const deaths = ++this.#deaths
      if (deaths % readEvery === 0) await this.#judge(`death ${deaths}, probe ${killAt}`, deaths % settleEvery === 0)
    }
  }

  async finish(): Promise<ArchivesSummary> {
    try {
      if (this.#place !== undefined && this.#violations.length === 0) await this.#judge('the end', true)
    } finally {
      await this.#crew.close()
      await this.#place?.remove()
      rmSync(this.#folder, { recursive: true, force: true })
    }
    return this.summary
  }

  /** A history of its own; a rehearsal says how many probes there are. */
  async #begin(): Promise<void> {
    await this.#place?.remove()
    this.#place = await this.#makePlace()
    this.#lines = []
    await this.#open(async skein => {
      this.#session = (await skein.sessions.create({ user: 'u1' })).id
    }, false)
    this.#probes = 0
    await this.#run(undefined)
    await this.#judge('a process that was not killed', true)
  }

  get #now(): number {
    return 1_795_000_000_000 + this.#generation * 120_000
  }

  async #run(killAt: number | undefined): Promise<string | number> {
    if (this.#place === undefined) throw new Error('There is no place yet.')
    this.#generation++
    const diary = join(this.#folder, `${this.#generation}.jsonl`)
    const child = await this.#crew.next()
    child.begin({
      address: this.#place.address,
      session: this.#session,
      diary,
      now: this.#now,
      seed: this.#generation,
      ...(killAt === undefined ? {} : { killAt }),
    })
    const [said, ended] = await Promise.all([child.opened, child.ended])
    if (said !== undefined && killAt === undefined) this.#probes = Number(said)
    if (existsSync(diary)) {
      const lines = readFileSync(diary, 'utf8').split('\n').filter(Boolean)
      this.#lines.push(...lines.map(line => JSON.parse(line) as DiaryLine))
      this.#messages += lines.filter(line => line.includes('"message"')).length
      this.#archives += lines.filter(line => line.includes('"archive"')).length
    }
    return ended
  }

  async #open(look: (skein: Skein) => Promise<void>, worker: boolean): Promise<void> {
    if (this.#place === undefined) return
    this.#generation++
    const clock = manualClock(this.#now)
    const store = await openAt(this.#place.address, clock)
    const skein = await openSkein({ store, clock, worker, memory: archiving })
    try {
      await look(skein)
    } finally {
      await skein.close()
      await store.close()
    }
  }

  async #judge(where: string, settles: boolean): Promise<void> {
    const complain = (message: string): void => void this.#violations.push(`${message} (${where})`)
    try {
      await this.#open(async skein => {
        const session = await skein.sessions.open(this.#session)
        if (settles) await skein.jobs.idle({ session: session.id })
        await this.#read(session, complain, settles)
        const { findings } = await skein.store.check()
        for (const { kind, message } of findings) complain(`${kind}: ${message}`)
      }, settles)
    } catch (error) {
      complain(isSkeinError(error) ? `${error.code}: ${error.message}` : String(error))
    }
  }

  /** Ranges are dense, what was acknowledged is there once, each message is live or in one archive, and all become ready. */
  async #read(session: Session, complain: (message: string) => void, settled: boolean): Promise<void> {
    const listed = (await session.archives({ limit: 200 })).toReversed()
    const all = await session.archives({ limit: 200, all: true })
    const said = await session.conversation()
    const { archivedTo, liveMessages } = await session.info()
    let end = 0
    for (const { id, fromSeq, toSeq, state } of listed) {
      if (fromSeq !== end + 1) complain(`Archive ${id} begins at ${fromSeq} behind ${end}.`)
      if (settled && state !== 'ready') complain(`Archive ${id} is ${state} though nothing is left to do.`)
      end = toSeq
    }
    if (archivedTo !== end) complain(`The watermark is ${archivedTo}, the newest archive ends at ${end}.`)
    const live = said.filter(({ seq }) => seq > archivedTo)
    if (live.length !== liveMessages) complain(`${liveMessages} messages are told as live, ${live.length} are.`)
    const ids = said.map(({ id }) => id as string)
    if (new Set(ids).size !== ids.length) complain('A message stands twice.')
    for (const line of this.#lines) {
      if ('message' in line) {
        if (!ids.includes(line.message)) complain(`Message ${line.message} was acknowledged and is lost.`)
        continue
      }
      const found = all.filter(({ id }) => id === line.archive)
      const [archive] = found
      if (found.length !== 1 || archive?.fromSeq !== line.fromSeq || archive.toSeq !== line.toSeq)
        complain(`Archive ${line.archive} was acknowledged for ${line.fromSeq}…${line.toSeq} and is another.`)
      if (archive?.state === 'merged' && !all.some(({ id }) => id === archive.mergedInto))
        complain(`Archive ${line.archive} was merged into nothing.`)
    }
    const newest = listed.at(-1)
    if (settled && newest !== undefined) {
      const { content } = await session.expand(newest.id, { unit: 'chars', limit: 100_000 })
      const wanted = said.filter(({ seq }) => seq >= newest.fromSeq && seq <= newest.toSeq)
      if (!wanted.every(({ id }) => content.includes(id))) complain(`Archive ${newest.id} doesn't give all of its entries.`)
    }
  }
}
