import { invalidInput, isId, isObject, type Json, toJson } from '#kernel'
import {
  assemble,
  type ContextBudget,
  contextBudget,
  type ContextItem,
  type ContextTokens,
  messageTokens,
  type Repair,
} from '#context'
import { isType, type Message, type PartInput, type SessionRow, type ToolDescription } from '#journal'
import type { SessionCore } from './core.ts'
import { type MessageFormat, writeMessages } from './formats/messages.ts'
import { type MessageInput, readMessage, readParts } from './message-input.ts'
import type { ModelFacts } from './runtime.ts'
import { readToolDescriptions } from './marks.ts'
import { fileContents, isShown, toMessages } from './read-messages.ts'

export interface ContextOptions {
  /** Instead of the session's, for this call. `null`: none. */
  readonly system?: string | null
  /** Shown as the newest user message, not stored: a text, parts, or a message. */
  readonly input?: string | readonly PartInput[] | Pick<MessageInput, 'parts'>
  /** For this model's window and family. Default: the session's. */
  readonly model?: string
  /** What is known of the model, where the caller knows better than its name tells. */
  readonly facts?: ModelFacts
  /** The shape of `messages`. `auto` (default) is the model's family. */
  readonly format?: MessageFormat | 'auto'
  readonly tools?: readonly ToolDescription[]
  /** Room for the answer, in tokens. */
  readonly maxTokens?: number
}

export interface SessionContext {
  readonly system: string | null
  readonly messages: readonly unknown[]
  readonly tools: readonly ToolDescription[]
  readonly fits: boolean
  readonly tokens: ContextTokens
  readonly budget: ContextBudget
  readonly repairs: readonly Repair[]
  /** Older messages that the budget leaves out. They stay in the journal. */
  readonly left: number
}

/** The settings that hold at the leaf. */
export interface Settings {
  readonly model: string | null
  readonly thinking: string | null
  readonly system: string | null
  readonly tools: readonly ToolDescription[]
}

type OwnContext = Omit<SessionContext, 'messages'> & { readonly messages: readonly Message[] }

/** The newest context of each session, and what it was made of; asked again unchanged, nothing is read. */
const latest = new WeakMap<SessionCore, { readonly key: string; readonly context: OwnContext }>()

/** What the model is shown for the next request, in Skein's own message shape. Reads what it shows, not the history. */
export async function readContext(core: SessionCore, row: SessionRow, options: ContextOptions): Promise<OwnContext> {
  const facts = options.facts ?? core.runtime.modelFacts(options.model ?? row.model)
  const { input, system: asked, tools: given, maxTokens } = options
  const key = JSON.stringify([
    row.leafId,
    row.model,
    row.data['settings'] ?? null,
    facts.contextWindow,
    facts.maxOutput,
    maxTokens,
    // Nothing asked is not the same as asked for nothing.
    asked === undefined ? [] : [asked],
    given === undefined ? [] : [given],
  ])
  const known = input === undefined ? latest.get(core) : undefined
  if (known?.key === key) return known.context
  const settings = await settingsOf(core, row)
  const system = asked === undefined ? settings.system : asked
  const tools = given ?? settings.tools
  const budget = contextBudget(facts, maxTokens)
  const items = [...(await newestItems(core, row, budget.usable)), ...(input === undefined ? [] : [inputItem(core, input)])]
  const toolTokens = tools.reduce((sum, tool) => sum + core.runtime.counter.count(JSON.stringify(tool)), 0)
  const assembled = assemble(items, system, toolTokens, budget.usable, core.runtime.counter)
  const shown = items.length - assembled.left - (input === undefined ? 0 : 1)
  const context = { ...assembled, system, tools, budget, left: row.totals.messages - shown }
  if (input === undefined) latest.set(core, { key, context })
  return context
}

export async function sessionContext(core: SessionCore, options: ContextOptions = {}): Promise<SessionContext> {
  checkOptions(options)
  const row = await core.row()
  const context = await readContext(core, row, options)
  return { ...context, messages: await writeContext(core, context, formatFor(core, options, row)) }
}

function checkOptions({ system, tools, maxTokens }: ContextOptions): void {
  if (system !== undefined && system !== null && typeof system !== 'string')
    throw invalidInput('system', 'Expected a text or null.')
  if (tools !== undefined) readToolDescriptions(tools)
  if (maxTokens !== undefined && !(Number.isSafeInteger(maxTokens) && maxTokens > 0))
    throw invalidInput('maxTokens', 'Expected a whole number from 1.')
}

/** What the messages of a context became in a format, as long as the context is. Whoever asks again gets a copy to change. */
const written = new WeakMap<OwnContext, { readonly format: MessageFormat; readonly messages: Json }>()

async function writeContext(core: SessionCore, context: OwnContext, format: MessageFormat): Promise<readonly unknown[]> {
  const known = written.get(context)
  if (known?.format === format) return toJson(known.messages) as readonly Json[]
  const messages = writeMessages(format, context.messages, await fileContents(core, context.messages))
  // Files may stand as bytes or urls, which are no JSON.
  if (!context.messages.some(({ parts }) => parts.some(part => part.type === 'file')))
    written.set(context, { format, messages: toJson(messages) })
  return messages
}

function formatFor(core: SessionCore, { format = 'auto', model }: ContextOptions, row: SessionRow): MessageFormat {
  if (format !== 'auto') return format
  return core.runtime.modelFacts(model ?? row.model).provider === 'anthropic' ? 'anthropic' : 'openai'
}

/** Message entries from the leaf back until they outweigh the budget and hold a user message. */
async function newestItems(core: SessionCore, row: SessionRow, usable: number): Promise<ContextItem[]> {
  const found: ContextItem[] = []
  let tokens = 0
  let userSeen = false
  let from = row.leafId
  while (from !== null && !(userSeen && tokens > usable)) {
    const page = await core.store.branch(core.id, { from, types: ['message_added', 'custom'], limit: 100 })
    const messages = await toMessages(core, page)
    for (const [index, message] of messages.entries()) {
      const entry = page[index]
      if (entry === undefined || !isShown(entry) || message.finishReason === 'error') continue
      const { id: _id, seq: _seq, at: _at, turn: _turn, ...content } = message
      const size = entry.tokens ?? messageTokens(content, core.runtime.counter)
      found.push({ message: content, tokens: size })
      tokens += size
      userSeen ||= message.role === 'user'
      if (userSeen && tokens > usable) break
    }
    from = page.length < 100 ? null : (page.at(-1)?.parentId ?? null)
  }
  return found.reverse()
}

function inputItem(core: SessionCore, input: NonNullable<ContextOptions['input']>): ContextItem {
  const asked = isObject(input) ? { role: 'user', ...input } : { role: 'user', parts: readParts(input, 'input') }
  const { at: _at, ...message } = readMessage(asked, 'input')
  if (message.role !== 'user') throw invalidInput('input.role', 'Expected a user message.')
  const parts = message.parts.map(part => {
    if (part.type !== 'file' || !('data' in part)) return part
    throw invalidInput('input', 'A file can be shown once it is stored; append it instead.')
  })
  return { message: { ...message, parts }, tokens: messageTokens({ parts }, core.runtime.counter) }
}

/** Model, thinking, system and tools as they hold at the leaf. */
export async function settingsOf(core: SessionCore, row: SessionRow): Promise<Settings> {
  const settings = isObject(row.data['settings']) ? row.data['settings'] : {}
  const thinking = typeof settings['thinking'] === 'string' ? settings['thinking'] : null
  return {
    model: row.model,
    thinking,
    system: await systemAt(core, settings['system']),
    tools: await toolsAt(core, settings['tools']),
  }
}

async function systemAt(core: SessionCore, ref: unknown): Promise<string | null> {
  if (!isId('ent', ref)) return null
  const entry = await core.store.entry(core.id, ref)
  if (entry === undefined) return null
  if (isType(entry, 'system_changed') || isType(entry, 'session_created')) return entry.data.system
  return null
}

async function toolsAt(core: SessionCore, ref: unknown): Promise<readonly ToolDescription[]> {
  if (!isId('ent', ref)) return []
  const entry = await core.store.entry(core.id, ref)
  return entry !== undefined && isType(entry, 'tools_changed') ? entry.data.tools : []
}
