import { given, type SessionId } from '#kernel'
import type { SessionRow } from '#journal'
import type { Front, Desk } from './desk.ts'
import { readSituation } from './decide.ts'
import { asLearnt } from './explain.ts'
import { isShared } from './key.ts'
import { type Person, personPlatform, readPeople, readPersonAt } from './person.ts'
import { type PromptSettings, renderPrompt, type SourceContext } from './prompt.ts'
import { maskFor } from './pseudonym-key.ts'
import { type KeptRoute, withDisplay } from './route.ts'
import type { HomeChannel } from './settings.ts'
import { encodeSource, type Source } from './source.ts'

/** Where a message of this source would speak; writes nothing. */
export async function contextOf(front: Front, given: Source): Promise<SourceContext> {
  return (await readContextOf(front, given)).context
}

interface Read {
  readonly context: SourceContext
  readonly canonical: string | undefined
  readonly session: SessionId | undefined
}

async function readContextOf(front: Front, source: Source): Promise<Read> {
  const { store, people } = await asLearnt(front, source)
  const { key, isShared, found } = await readSituation(front.desk, store, source, people)
  const route = found?.route
  const shown = route === undefined ? source : withDisplay({ ...source, ...displayOf(route.origin) }, source)
  return {
    context: contextWith(front.desk, shown, key, isShared, route),
    canonical: people.speaker?.canonical,
    session: route?.sessionId,
  }
}

const displayOf = ({ chatName, chatTopic, userName }: Source): Partial<Source> => given({ chatName, chatTopic, userName })

function contextWith(desk: Desk, source: Source, key: string, isShared: boolean, route: KeptRoute | undefined): SourceContext {
  return {
    source: encodeSource(source),
    connectedPlatforms: connectedOf(desk),
    homeChannels: homesOf(desk),
    isShared,
    key,
    ...given({ sessionId: route?.sessionId, createdAt: route?.startedAt, updatedAt: route?.lastActivityAt }),
  }
}

function connectedOf(desk: Desk): string[] {
  return [...desk.connected].filter(platform => platform !== 'local').sort()
}

function homesOf(desk: Desk): Record<string, HomeChannel> {
  const homes = connectedOf(desk).flatMap(platform => {
    const home = desk.settings.platforms[platform]?.home
    return home === undefined ? [] : [[platform, { name: 'Home', ...home }] as const]
  })
  return Object.fromEntries(homes)
}

/** The prompt of a source: a function of its context and the configuration. Law G89. */
export async function promptOf(
  front: Front,
  source: Source,
  redact: boolean = front.desk.settings.privacy.redact,
): Promise<string> {
  const { context, canonical, session } = await readContextOf(front, source)
  const row = session === undefined ? undefined : await front.store.session(session)
  return renderPrompt(context, await settingsFor(front, source, canonical, row, redact))
}

/** The prompt of a route's session: by the first message's ids, so that it stays the same. Law G70. */
export async function routePrompt(front: Front, route: KeptRoute, row: SessionRow): Promise<string> {
  const { origin, key } = route
  const person = await personAt(front, route)
  const context = contextWith(front.desk, origin, key, isShared(key), route)
  const { redact } = front.desk.settings.privacy
  return renderPrompt(context, await settingsFor(front, origin, person?.canonical, row, redact))
}

/** Who the route is of, as its platform knows them: whom links name is somebody there, too. */
async function personAt({ store }: Front, { origin, person }: KeptRoute): Promise<Person | undefined> {
  if (person === undefined) return undefined
  const found = await readPersonAt(store, person)
  return found?.platform === personPlatform ? (await readPeople(store, origin)).speaker : found
}

async function settingsFor(
  front: Front,
  source: Source,
  canonical: string | undefined,
  row: SessionRow | undefined,
  redact: boolean,
): Promise<PromptSettings> {
  const { desk, tenant } = front
  const { guard, notes } = desk.settings
  return {
    guard,
    notes,
    outputDir: desk.outputDir,
    discordTools: source.platform === 'discord' && desk.connected.has('discord') && (await hasDiscordTools(desk, tenant, row)),
    ...given({ mask: await maskFor(front, source.platform, redact), canonical }),
  }
}

/** Any doubt means no. Law G91. */
async function hasDiscordTools(desk: Desk, tenant: string, row: SessionRow | undefined): Promise<boolean> {
  try {
    const names = await desk.toolNames(tenant, row)
    return names.some(name => name === 'discord' || name.startsWith('discord_'))
  } catch {
    return false
  }
}
