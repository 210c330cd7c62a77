import { isObject } from '#kernel'
import type { Message } from '#journal'
import { type MessageInput, readMessage, type SessionCore, setPrefill } from '#session'
import { badConfig } from './policy/bad-config.ts'
import { type FileSpec, prefillAnswer, prefillText } from './prompt/prefill.ts'
import { readPrefillFiles } from './prompt/prefill-files.ts'

/** What stands before all history: files, or messages as they are. */
export type PrefillItem = FileSpec | MessageInput

const isFileSpec = (item: PrefillItem): item is FileSpec => 'path' in item

/** Throws `config.invalid` for what is no prefill. */
export function checkPrefill(value: unknown): void {
  if (!Array.isArray(value)) throw badConfig('prefill', 'Expected a list of files or messages.')
  for (const [index, item] of (value as readonly unknown[]).entries()) {
    if (!isObject(item)) throw badConfig(`prefill[${index}]`, 'Expected a file or a message.')
    if (!('path' in item)) continue
    const { path, mode, note } = item
    if (typeof path !== 'string' || path === '') throw badConfig(`prefill[${index}].path`, 'Expected a path.')
    if (note !== undefined && typeof note !== 'string') throw badConfig(`prefill[${index}].note`, 'Expected a text.')
    if (!isMode(mode)) throw badConfig(`prefill[${index}].mode`, "Expected 'full', { tail } or { range: [a, b] }.")
  }
}

const isLine = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 1

function isMode(mode: unknown): boolean {
  if (mode === 'full') return true
  if (!isObject(mode)) return false
  const { tail, range } = mode
  return tail === undefined ? Array.isArray(range) && range.length === 2 && range.every(isLine) : isLine(tail)
}

/** Reads the files and keeps the messages for every request. Throws `session.prefill_too_late`. Law A55. */
export async function prefillSession(core: SessionCore, items: readonly PrefillItem[]): Promise<void> {
  const messages = items.filter(item => !isFileSpec(item)).map((item, index) => plainMessage(item, index))
  const specs = items.filter(isFileSpec)
  const cwd = (await core.row()).cwd
  if (specs.length > 0 && cwd === null) throw badConfig('prefill', 'Files need the cwd of the session.')
  const missing = (path: string): void =>
    core.runtime.notice({
      level: 'warn',
      code: 'prefill.file_missing',
      message: `There is no such text to begin with: ${path}`,
      session: core.id,
      tenant: core.store.tenant,
    })
  const files = cwd === null ? [] : await readPrefillFiles(cwd, specs, missing)
  const text = prefillText(files, shown => core.keeping.counter.count(shown))
  const loaded: Message[] =
    text === undefined
      ? []
      : [
          { role: 'user', parts: [{ type: 'text', text }] },
          { role: 'assistant', parts: [{ type: 'text', text: prefillAnswer }] },
        ]
  await setPrefill(core, [...loaded, ...messages])
}

function plainMessage(item: unknown, index: number): Message {
  const { at: _at, ...message } = readMessage(item, `prefill[${index}]`)
  const parts = message.parts.map(part => {
    if (part.type !== 'file' || !('data' in part)) return part
    throw badConfig(`prefill[${index}]`, 'A file of a message can be shown once it is stored.')
  })
  return { ...message, parts }
}
