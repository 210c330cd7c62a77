import { blobId, canonical, isId, isObject, type JsonObject, sha256, toJson } from '#kernel'
import { fetchParts, type SessionRow, stowParts } from '#journal'
import type { Draft, Plan, SessionCore } from '#session'
import { type PromptParts, promptOf } from './prompt/prompt.ts'
import { platformName, type PromptFiles, readPromptFiles } from './prompt/prompt-files.ts'

/** A system prompt, and of what it was made: `null` for one that somebody gave. */
export interface MadePrompt {
  readonly text: string | null
  readonly inputs: string | null
}

/** The prompt that a session keeps: the entry with its text, the text's SHA-256, and of what it was made. */
interface KeptPrompt {
  readonly entry: string
  readonly hash: string
  readonly inputs: string | null
}

const entryName = 'prompt'
const noFiles: PromptFiles = { identity: null, instructions: [], skills: [], notices: [] }

/** What is said beside files. */
export type SaidParts = Omit<PromptParts, 'now' | 'startedAt' | 'cwd' | 'platform' | 'instructions' | 'skills' | 'identity'> & {
  readonly identity?: string | null
}

const told = new WeakMap<SessionCore, Set<string>>()

/**
 * The prompt of sections. As long as nothing changes of what it is made of, it is the text that was kept, in whatever process, so
 * that times in it stay as they were; files are read as they are now. Source: spec/agent.md 16.
 */
export async function makePrompt(
  core: SessionCore,
  row: SessionRow,
  said: SaidParts,
  userFolder: string | undefined,
): Promise<MadePrompt> {
  const { cwd } = row
  const { notices, ...files } = cwd === null ? noFiles : await readPromptFiles(cwd, userFolder)
  tell(core, notices)
  const parts = { ...said, ...files, identity: said.identity ?? files.identity, cwd, platform: platformName }
  const inputs = sha256(canonical(toJson(parts))).slice(0, 32)
  const kept = keptIn(row)
  const before = kept?.inputs === inputs ? await textOf(core, kept) : undefined
  if (before !== undefined) return { text: before, inputs }
  return { text: promptOf({ ...parts, startedAt: row.createdAt, now: core.runtime.clock.now() }), inputs }
}

/** What keeps a prompt that is about to be sent, unless it is kept already; `own` is the session's, which has an entry. */
export function keepPrompt(core: SessionCore, row: SessionRow, { text, inputs }: MadePrompt, own: string | null): Plan {
  const none: Plan = { drafts: [] }
  if (text === null || text === own) return none
  const hash = sha256(text)
  const kept = keptIn(row)
  if (kept?.hash === hash && kept.inputs === inputs) return none
  const id = core.runtime.ids('ent')
  const { parts, blobs } = stowParts([{ type: 'text', text }])
  const entry: Draft = { type: 'custom', id, data: { name: entryName, data: { hash }, parts }, path: false }
  const prompt: JsonObject = { entry: id, hash, inputs }
  return {
    drafts: [entry],
    blobs,
    blobRefs: [blobId(hash)].filter(ref => blobs.some(blob => blob.id === ref)),
    head: { merge: { prompt } },
  }
}

/** The prompt that was sent before, by its SHA-256; `undefined` if it is not what the session keeps. */
export async function sentPrompt(core: SessionCore, row: SessionRow, hash: string | null): Promise<MadePrompt | undefined> {
  if (hash === null) return { text: null, inputs: null }
  const kept = keptIn(row)
  const text = kept?.hash === hash ? await textOf(core, kept) : undefined
  return text === undefined ? undefined : { text, inputs: kept?.inputs ?? null }
}

function keptIn({ data }: SessionRow): KeptPrompt | undefined {
  const prompt = data['prompt']
  if (!isObject(prompt)) return undefined
  const { entry, hash, inputs } = prompt
  if (typeof entry !== 'string' || typeof hash !== 'string') return undefined
  return { entry, hash, inputs: typeof inputs === 'string' ? inputs : null }
}

const texts = new WeakMap<SessionCore, { readonly hash: string; readonly text: string }>()

async function textOf(core: SessionCore, { entry, hash }: KeptPrompt): Promise<string | undefined> {
  const known = texts.get(core)
  if (known?.hash === hash) return known.text
  const found = isId('ent', entry) ? await core.store.entry(core.id, entry) : undefined
  if (found === undefined) return undefined
  const [full] = (await fetchParts(core.store, [found])).entries
  const parts = isObject(full?.data) ? full.data['parts'] : undefined
  const part: unknown = Array.isArray(parts) ? parts[0] : undefined
  const text = isObject(part) && typeof part['text'] === 'string' ? part['text'] : undefined
  if (text === undefined || sha256(text) !== hash) return undefined
  texts.set(core, { hash, text })
  return text
}

/** Once for each object of a session. */
function tell(core: SessionCore, notices: readonly string[]): void {
  const known = told.get(core) ?? new Set<string>()
  told.set(core, known)
  for (const message of notices.filter(notice => !known.has(notice))) {
    known.add(message)
    core.runtime.notice({ level: 'warn', code: 'prompt.file_left_out', message, session: core.id, tenant: core.store.tenant })
  }
}
