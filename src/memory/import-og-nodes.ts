import { isObject } from '#kernel'

/** A node of oG-Memory's store: where it lies, and its content as text or as what that text says. */
export interface OgNode {
  readonly uri?: string
  readonly path?: string
  readonly content?: unknown
}

export interface OgSkipped {
  readonly path: string
  readonly reason: string
}

export interface OgArchive {
  readonly id: string
  readonly overview: string
  readonly abstract: string
  readonly messages: readonly OgMessage[]
  /** Epoch milliseconds. */
  readonly createdAt: number
  /** Of a merged one: what it says that it was made of. */
  readonly sources: readonly string[]
}

export interface OgMessage {
  readonly id: string | undefined
  readonly role: 'user' | 'assistant' | 'tool' | 'system'
  readonly text: string
  readonly at: number | undefined
}

export interface OgSession {
  readonly id: string
  readonly archives: readonly OgArchive[]
  readonly state: Readonly<Record<string, unknown>> | undefined
}

/** What stands under a path, as text. */
export interface OgFile {
  readonly path: string
  readonly text: string
}

/** Nodes as files. A node's content may be text or JSON; what has neither path nor content is left out. */
export function filesOf(nodes: unknown): OgFile[] {
  const list = Array.isArray(nodes)
    ? (nodes as readonly unknown[])
    : isObject(nodes)
      ? Object.entries(nodes).map(([path, content]) => ({
          path,
          content: isObject(content) && 'content' in content ? content['content'] : content,
        }))
      : []
  return list.flatMap((node): OgFile[] => {
    if (!isObject(node)) return []
    const path = node['uri'] ?? node['path'] ?? node['id']
    const { content } = node
    if (typeof path !== 'string' || content === undefined) return []
    return [{ path, text: typeof content === 'string' ? content : JSON.stringify(content) }]
  })
}

interface Folder {
  readonly files: Map<string, string>
}

/** The sessions that files tell of. What can't be read, or has a name that leaves its folder, is skipped with its reason. */
export function readOg(files: readonly OgFile[]): {
  readonly sessions: readonly OgSession[]
  readonly skipped: readonly OgSkipped[]
} {
  const skipped: OgSkipped[] = []
  const sessions = new Map<string, { state?: string; archives: Map<string, Folder> }>()
  for (const { path, text } of files) {
    const place = placeOf(path)
    if (place === undefined) continue
    if (place === 'unsafe') {
      skipped.push({ path: shownPath(path), reason: 'unsafe_name' })
      continue
    }
    const session = sessions.get(place.session) ?? { archives: new Map<string, Folder>() }
    sessions.set(place.session, session)
    if (place.kind === 'state') session.state = text
    else {
      const folder = session.archives.get(place.archive) ?? { files: new Map<string, string>() }
      session.archives.set(place.archive, folder)
      folder.files.set(place.file, text)
    }
  }
  const read = [...sessions].map(([id, { state, archives }]): OgSession => {
    const found = [...archives].flatMap(([archive, { files: inside }]): OgArchive[] => {
      const one = readArchive(archive, inside)
      if (typeof one !== 'string') return [one]
      skipped.push({ path: `${id}/history/${archive}`, reason: one })
      return []
    })
    const parsed = state === undefined ? undefined : jsonIn(state)
    if (state !== undefined && !isObject(parsed)) skipped.push({ path: `${id}/state`, reason: 'not_json' })
    return {
      id,
      archives: found.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)),
      state: isObject(parsed) ? parsed : undefined,
    }
  })
  return { sessions: read.sort((a, b) => (a.id < b.id ? -1 : 1)), skipped }
}

type Place =
  | { readonly kind: 'state'; readonly session: string }
  | { readonly kind: 'archive'; readonly session: string; readonly archive: string; readonly file: string }

function placeOf(path: string): Place | 'unsafe' | undefined {
  const segments = path
    .replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')
    .split('/')
    .filter(Boolean)
  const at = segments.findLastIndex((segment, index) => segment === 'sessions' && index < segments.length - 2)
  if (at < 0) return undefined
  const [session = '', next = '', archive = '', file = '', ...more] = segments.slice(at + 1).map(decoded)
  const isHistory = next === 'history'
  if (isUnsafe(session) || (isHistory && (isUnsafe(archive) || isUnsafe(file) || more.some(isUnsafe)))) return 'unsafe'
  if (next === '..' || next.includes('\0')) return 'unsafe'
  if (/^state(?:\.json|\.md)?$/.test(next)) return { kind: 'state', session }
  if (!isHistory || archive === '' || more.length > 1) return undefined
  // A node may hold its content in a file of its own.
  const name = more[0] === undefined || /^content(?:\.\w+)?$/.test(more[0]) ? file : undefined
  return name === undefined || name === '' ? undefined : { kind: 'archive', session, archive, file: name }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

const mostBytes = 255

const isUnsafe = (name: string): boolean =>
  name === '..' ||
  name === '.' ||
  /[/\\\u0000-\u001f\u007f]/.test(name) ||
  Buffer.byteLength(name) > mostBytes ||
  !name.isWellFormed()

const shownPath = (path: string): string =>
  path
    .toWellFormed()
    .replace(/[\u0000-\u001f\u007f]/g, '?')
    .slice(0, 300)

function readArchive(id: string, files: ReadonlyMap<string, string>): OgArchive | string {
  const text = files.get('messages.json') ?? files.get('messages')
  if (text === undefined) return 'no_messages'
  const told = jsonIn(text)
  if (!Array.isArray(told)) return 'messages_unreadable'
  const messages = told.map(readOgMessage)
  if (messages.includes(undefined)) return 'messages_unreadable'
  const meta = jsonIn(files.get('.meta.json') ?? files.get('meta.json') ?? '{}')
  if (!isObject(meta)) return 'meta_unreadable'
  const read = messages as OgMessage[]
  return {
    id,
    overview: bodyOf(files.get('overview.md') ?? files.get('.overview.md') ?? ''),
    abstract: bodyOf(files.get('abstract.md') ?? files.get('.abstract.md') ?? ''),
    messages: read,
    createdAt: timeOf(meta['created_at'] ?? meta['createdAt']) ?? read.at(-1)?.at ?? 0,
    sources: textsOf(
      meta['sources'] ?? meta['source_archives'] ?? meta['source_archive_ids'] ?? meta['merged_from'] ?? meta['children'],
    ),
  }
}

/** JSON, or the JSON in the content of a node that is JSON. */
function jsonIn(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) && typeof value['content'] === 'string' ? (JSON.parse(value['content']) as unknown) : value
  } catch {
    return undefined
  }
}

/** A text, or that of a node. */
function bodyOf(text: string): string {
  if (!text.trimStart().startsWith('{')) return text
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) && typeof value['content'] === 'string' ? value['content'] : text
  } catch {
    return text
  }
}

const roles: readonly OgMessage['role'][] = ['user', 'assistant', 'tool', 'system']

function readOgMessage(value: unknown): OgMessage | undefined {
  if (!isObject(value)) return undefined
  const role = roles.find(one => one === value['role'])
  const text = textIn(value['content'] ?? value['text'] ?? value['parts'])
  if (role === undefined || text === undefined) return undefined
  const id = value['id'] ?? value['message_id']
  return {
    id: (typeof id === 'string' && id !== '') || typeof id === 'number' ? String(id) : undefined,
    role,
    text,
    at: timeOf(value['created_at'] ?? value['timestamp'] ?? value['at']),
  }
}

function textIn(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return undefined
  const texts = (value as readonly unknown[]).map(part => (isObject(part) ? (part['text'] ?? part['content']) : part))
  return texts.filter((text): text is string => typeof text === 'string').join('\n')
}

/** Epoch milliseconds of an ISO text, of seconds or of milliseconds. */
export function timeOf(value: unknown): number | undefined {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0)
    return Math.trunc(value < 100_000_000_000 ? value * 1_000 : value)
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) || at < 0 ? undefined : at
}

export const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string' && one.trim() !== '') : []
