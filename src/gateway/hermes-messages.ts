import { canonical, isObject, type Json, type JsonObject, toJson } from '#kernel'
import { type MessageInput, readAppend } from '#session'
import { hermesTime } from './hermes-times.ts'

/** What was not taken over, and why. */
export interface Skipped {
  readonly what: string
  readonly why: string
}

/** A message of a transcript, with what it is compared by. */
export interface Said {
  readonly message: MessageInput
  readonly same: string
}

/** How the state database marks content that is no text. */
const jsonContent = '\u0000json:'
const jsonColumns = ['tool_calls', 'reasoning_details', 'codex_reasoning_items', 'codex_message_items'] as const
const fields = [
  'role',
  'content',
  'finish_reason',
  'tool_calls',
  'tool_call_id',
  'tool_name',
  'reasoning_content',
  'reasoning',
  'reasoning_details',
  'codex_reasoning_items',
  'codex_message_items',
] as const

/** One line of a transcript: a message, nothing for what is no message, or why it is left out. */
export function saidInLine(line: string, zone: string, createdAt: number): Said | undefined | string {
  if (line.trim() === '') return undefined
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return 'not JSON'
  }
  if (!isObject(value)) return 'no message'
  if (value['role'] === 'session_meta') return undefined
  const { timestamp, ...message } = value
  return said(message, hermesTime(timestamp, zone) ?? createdAt)
}

/** One row of the state database's messages. */
export function saidInRow(row: Readonly<Record<string, unknown>>, zone: string, createdAt: number): Said | undefined | string {
  const message: Record<string, unknown> = {}
  for (const field of fields) {
    const value = row[field]
    if (value === null || value === undefined) continue
    message[field] = (jsonColumns as readonly string[]).includes(field) ? parsed(value) : value
  }
  if (row['role'] === 'session_meta') return undefined
  const { content } = message
  if (typeof content === 'string' && content.startsWith(jsonContent))
    message['content'] = parsed(content.slice(jsonContent.length))
  if (message['role'] === 'assistant' && content === undefined) message['content'] = null
  return said(message, hermesTime(row['timestamp'], zone) ?? createdAt)
}

function said(message: Record<string, unknown>, at: number): Said | string {
  try {
    const kept = Object.fromEntries(Object.entries(message).filter(([name, value]) => value !== null || name === 'content'))
    const [read] = readAppend(kept, 'openai')
    return read === undefined ? 'no message' : { message: { ...read, at }, same: sameness(kept) }
  } catch (error) {
    return error instanceof Error ? error.message : 'no message'
  }
}

/** Two messages are the same when role, content and calls are. */
function sameness(message: Record<string, unknown>): string {
  const { role, content, tool_calls: calls, tool_call_id: call } = message
  const said: JsonObject = {
    role: toJson(role ?? null),
    content: toJson(content === '' ? null : (content ?? null)),
    calls: toJson(Array.isArray(calls) && calls.length > 0 ? calls : null),
    call: toJson(call ?? null),
  }
  return canonical(said)
}

function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value) as Json
  } catch {
    return value
  }
}

export interface Joined {
  readonly branch: readonly Said[]
  /** What neither continues nor is contained in the branch. */
  readonly beside: readonly Said[]
}

/**
 * Two transcripts of one session: the containing one; else both, at the longest overlap of one's end with the other's start;
 * else the longer, with the other beside it. Pure. Law G51.
 */
export function joinTranscripts(a: readonly Said[], b: readonly Said[]): Joined {
  if (contains(a, b)) return { branch: a, beside: [] }
  if (contains(b, a)) return { branch: b, beside: [] }
  const [ab, ba] = [overlap(a, b), overlap(b, a)]
  if (ab === 0 && ba === 0) return b.length > a.length ? { branch: b, beside: a } : { branch: a, beside: b }
  return { branch: ab >= ba ? [...a, ...b.slice(ab)] : [...b, ...a.slice(ba)], beside: [] }
}

/** How many messages end the one and begin the other. */
function overlap(a: readonly Said[], b: readonly Said[]): number {
  // The prefix function of `b`, then `a` and what is left of it: one pass over each.
  const text = [...b.map(({ same }) => same), undefined, ...a.map(({ same }) => same)]
  const borders = bordersOf(text)
  return Math.min(borders.at(-1) ?? 0, a.length, b.length)
}

function contains(whole: readonly Said[], part: readonly Said[]): boolean {
  if (part.length === 0) return true
  const borders = bordersOf([...part.map(({ same }) => same), undefined, ...whole.map(({ same }) => same)])
  return borders.includes(part.length)
}

/** For each place, how long the longest beginning is that ends there and is not all of it. */
function bordersOf(text: readonly (string | undefined)[]): number[] {
  const borders: number[] = [0]
  for (let at = 1; at < text.length; at++) {
    let length = borders[at - 1] ?? 0
    while (length > 0 && text[length] !== text[at]) length = borders[length - 1] ?? 0
    borders[at] = text[length] === text[at] && text[at] !== undefined ? length + 1 : 0
  }
  return borders
}
