import { cleanLine, given, invalidInput, isAlias, isObject, messageOf } from '#kernel'
import type { Change, RouteBound } from '#journal'
import { type Conversation, draft, type HermesImported, type HermesInput, importConversation } from '#session'
import type { Front } from './desk.ts'
import { keysOf } from './find-route.ts'
import { type HermesEntry, readHermesEntry } from './hermes-entry.ts'
import { type HermesDatabase, hermesFiles, type HermesFolder, openHermesDatabase, readHermesFolder } from './hermes-folder.ts'
import { joinTranscripts, type Said, saidInLine, saidInRow, type Skipped } from './hermes-messages.ts'
import { hermesTime } from './hermes-times.ts'
import { indexKey } from './rebind.ts'
import { retried } from './retried.ts'
import { gatewayRecords, type KeptRoute, putRoute, storedKey } from './route.ts'
import { wordShape } from './source.ts'
import { hostZone, isZone } from './zones.ts'

/**
 * Takes over the routes, sessions and transcripts of a Hermes gateway; none of its files is changed, and importing again adds
 * nothing. What cannot be read or is unsafe is skipped and listed, all else loads. Laws G51–G53.
 */
export async function importHermes(front: Front, input: HermesInput): Promise<HermesImported> {
  const { dir, files, stateDb, zone, dryRun = false } = readInput(input)
  const found = new Find(front, zone ?? front.desk.settings.zone ?? hostZone())
  const folder = files !== undefined ? hermesFiles(files) : dir === undefined ? undefined : await found.folder(dir)
  const database = stateDb === undefined ? undefined : await found.database(stateDb)
  try {
    return await new Importing(front, found, folder, database, dryRun).run()
  } finally {
    await database?.close()
  }
}

const known: readonly string[] = ['dir', 'files', 'stateDb', 'zone', 'dryRun']

function readInput(input: unknown): HermesInput {
  if (!isObject(input)) throw invalidInput('input', 'Expected { dir, files, stateDb, zone, dryRun }.')
  for (const name of Object.keys(input))
    if (input[name] !== undefined && !known.includes(name))
      throw invalidInput(`input.${name}`, `Unknown member; expected ${known.join(', ')}.`)
  const { dir, files, stateDb, zone, dryRun } = input
  for (const [name, value] of Object.entries({ dir, stateDb }))
    if (value !== undefined && !isPath(value) && !(name === 'stateDb' && value instanceof Uint8Array))
      throw invalidInput(`input.${name}`, 'Expected a path.')
  if (files !== undefined && !(isObject(files) && Object.values(files).every(text => typeof text === 'string')))
    throw invalidInput('input.files', 'Expected texts by the names of files.')
  if (dir !== undefined && files !== undefined) throw invalidInput('input.files', 'Give dir or files, not both.')
  if (dir === undefined && files === undefined && stateDb === undefined)
    throw invalidInput('input', 'Give dir, files or stateDb.')
  if (zone !== undefined && !isZone(zone)) throw invalidInput('input.zone', 'Expected a time zone such as Europe/Berlin.')
  if (dryRun !== undefined && typeof dryRun !== 'boolean') throw invalidInput('input.dryRun', 'Expected true or false.')
  return given({ dir, files, stateDb, zone, dryRun }) as HermesInput
}

const isPath = (value: unknown): boolean => typeof value === 'string' && value !== '' && !value.includes('\u0000')

/** Reads, and keeps what could not be read. */
class Find {
  readonly skipped: Skipped[] = []
  readonly zone: string
  readonly #front: Front

  constructor(front: Front, zone: string) {
    this.#front = front
    this.zone = zone
  }

  skip(what: string, why: string): undefined {
    this.skipped.push({ what, why })
    return undefined
  }

  async folder(dir: string): Promise<HermesFolder> {
    try {
      return await readHermesFolder(dir)
    } catch (error) {
      throw invalidInput('input.dir', `Cannot be read: ${messageOf(error)}`)
    }
  }

  async database(file: string | Uint8Array): Promise<HermesDatabase | undefined> {
    try {
      return await openHermesDatabase(file)
    } catch (error) {
      return this.skip('state database', messageOf(error))
    }
  }

  /** The entries of `sessions.json` by their legacy keys. */
  entries(folder: HermesFolder | undefined): Map<string, HermesEntry> {
    const entries = new Map<string, HermesEntry>()
    for (const [key, value] of Object.entries(this.#index(folder?.index))) {
      const entry = readHermesEntry(key, value, this.#front.desk.settings.flags, this.zone)
      if (typeof entry === 'string') this.skip(`sessions.json: ${key}`, entry)
      else entries.set(key, entry)
    }
    return entries
  }

  #index(text: string | undefined): Record<string, unknown> {
    if (text === undefined) return {}
    try {
      const value: unknown = JSON.parse(text)
      if (isObject(value)) return value
    } catch {
      // Said below.
    }
    this.skip('sessions.json', 'not a JSON object')
    return {}
  }
}

interface Known {
  readonly createdAt: number
  readonly title: string | null
  readonly user: string | null
  readonly platform: string | null
  readonly ended: { readonly at: number; readonly reason: string } | undefined
}

class Importing {
  readonly #front: Front
  readonly #find: Find
  readonly #folder: HermesFolder | undefined
  readonly #database: HermesDatabase | undefined
  readonly #dryRun: boolean
  readonly #counts = { routes: 0, sessions: 0, messages: 0, branches: 0 }

  constructor(front: Front, find: Find, folder: HermesFolder | undefined, database: HermesDatabase | undefined, dryRun: boolean) {
    this.#front = front
    this.#find = find
    this.#folder = folder
    this.#database = database
    this.#dryRun = dryRun
  }

  async run(): Promise<HermesImported> {
    const entries = this.#find.entries(this.#folder)
    const rows = this.#rows()
    const routed = new Map([...entries].map(([key, entry]) => [entry.sessionId, { key, entry }]))
    const ids = new Set([...rows.keys(), ...routed.keys(), ...this.#transcripts()])
    for (const id of ids) await this.#session(id, rows.get(id), routed.get(id)?.entry)
    for (const [key, entry] of entries) await this.#route(key, entry)
    return { ...this.#counts, skipped: this.#find.skipped }
  }

  /** Sessions of the state database by their ids. */
  #rows(): Map<string, Known> {
    const rows = new Map<string, Known>()
    for (const row of this.#database?.sessions ?? []) {
      const { id } = row
      if (typeof id !== 'string' || !isAlias(id)) {
        this.#find.skip(`state database: session ${String(id)}`, 'unsafe session id')
        continue
      }
      const time = (name: string): number | undefined => hermesTime(row[name], this.#find.zone)
      const text = (name: string): string | null => (typeof row[name] === 'string' && row[name] !== '' ? row[name] : null)
      const endedAt = time('ended_at')
      const source = text('source')?.toLowerCase() ?? ''
      rows.set(id, {
        createdAt: time('started_at') ?? 0,
        title: cleanLine(text('title') ?? '', 100),
        user: nameOf(text('user_id')),
        platform: wordShape.test(source) ? source : null,
        ended: endedAt === undefined ? undefined : { at: endedAt, reason: nameOf(text('end_reason')) ?? 'ended' },
      })
    }
    return rows
  }

  #transcripts(): string[] {
    return (this.#folder?.transcripts ?? []).filter((id: string) => {
      const isSafe = isAlias(id)
      if (!isSafe) this.#find.skip(`${id as string}.jsonl`, 'unsafe session id')
      return isSafe
    })
  }

  async #session(id: string, row: Known | undefined, entry: HermesEntry | undefined): Promise<void> {
    const { store, desk } = this.#front
    if ((await store.session({ alias: id })) !== undefined) return
    const createdAt = entry?.createdAt ?? row?.createdAt ?? 0
    const { branch, beside } = joinTranscripts(this.#stored(id, createdAt), await this.#written(id, createdAt))
    const route = entry?.route('ses_00000000000000000000000000')
    const conversation: Conversation = {
      format: 'hermes',
      alias: id,
      createdAt: createdAt > 0 ? createdAt : (branch[0]?.message.at ?? 0),
      title: row?.title ?? null,
      user: row?.user ?? (route?.chatType === 'dm' ? nameOf(route.origin.userIdAlt ?? route.origin.userId ?? null) : null),
      platform: row?.platform ?? route?.platform ?? null,
      messages: branch.map(({ message }) => message),
      beside: beside.map(({ message }) => message),
      after: [
        ...(route === undefined ? [] : [draft('route_bound', boundBy(route), { at: createdAt, by: 'import' })]),
        ...(row?.ended === undefined || entry !== undefined
          ? []
          : [draft('session_ended', { reason: row.ended.reason }, { at: row.ended.at, by: 'import' })]),
      ],
    }
    if (!this.#dryRun) {
      const { created } = await importConversation(desk.runtime, store, conversation)
      if (!created) return
    }
    this.#counts.sessions++
    this.#counts.messages += branch.length + beside.length
    if (beside.length > 0) this.#counts.branches++
  }

  #stored(id: string, createdAt: number): Said[] {
    return this.#said(
      (this.#database?.messages(id) ?? []).map(row => saidInRow(row, this.#find.zone, createdAt)),
      `state database: ${id}`,
    )
  }

  async #written(id: string, createdAt: number): Promise<Said[]> {
    const lines = (await this.#folder?.lines(id)) ?? []
    return this.#said(
      lines.map(line => saidInLine(line, this.#find.zone, createdAt)),
      `${id}.jsonl`,
    )
  }

  #said(read: readonly (Said | string | undefined)[], place: string): Said[] {
    return read.flatMap((one, index) => {
      if (typeof one === 'string') this.#find.skip(`${place}:${index + 1}`, one)
      return typeof one === 'object' ? [one] : []
    })
  }

  /** The route, unless there is one under its key or its legacy key. */
  async #route(legacyKey: string, entry: HermesEntry): Promise<void> {
    const { store } = this.#front
    const added = await retried(async () => {
      const session = await store.session({ alias: entry.sessionId })
      const legacy = await store.record(gatewayRecords.legacy, storedKey(legacyKey))
      if (keysOf(legacy).length > 0) return false
      if (this.#dryRun) return true
      if (session === undefined || session.hidden || session.state === 'deleted') return false
      const route = entry.route(session.id)
      if ((await store.route(storedKey(route.key))) !== undefined) return false
      const changes: Change[] = [putRoute({ route, version: 0 }), ...(await indexKey(store, legacyKey, route.key))]
      await store.commit(changes)
      return true
    })
    if (added) this.#counts.routes++
  }
}

const boundBy = ({ key, generation }: KeptRoute): RouteBound => ({ key, generation, reason: 'imported' })

/** What a session's user or a reason may be; anything else is left out. */
function nameOf(text: string | null): string | null {
  return text !== null && text !== '' && Buffer.byteLength(text) <= 255 && !/\p{Cc}/u.test(text) && text.isWellFormed()
    ? text
    : null
}
