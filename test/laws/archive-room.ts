import type { Archiver, CommitResult } from '#memory'
import type { Session, Skein, SkeinOptions } from '#skein'
import { systemTimers, type Timers } from '#kernel'
import { expect } from 'vitest'
import { memoryPlace, type Place } from './stores.ts'

export const user = (text: string, more: object = {}): object => ({ role: 'user', content: text, ...more })
export const assistant = (text: string, more: object = {}): object => ({ role: 'assistant', content: text, ...more })
export const call = (callId: string): object => ({
  role: 'assistant',
  parts: [{ type: 'tool_call', callId, tool: 'read', input: { path: 'a.ts' } }],
})
export const result = (callId: string, output: string = 'done'): object => ({
  role: 'tool',
  parts: [{ type: 'tool_result', callId, tool: 'read', output }],
})

/** A commit that sealed something. */
export type Sealed = Extract<CommitResult, { archived: true }>
export async function sealed(committing: Promise<CommitResult>): Promise<Sealed> {
  const done = await committing
  if (!done.archived) throw new Error(`Nothing was sealed: ${done.reason}.`)
  return done
}

/** Half a minute passes in half a second, for what gives up after so long. */
export const hastyTimers: Timers = {
  after: (ms, run, options) => systemTimers.after(ms / 60, run, options),
}

export interface ArchiveRoom {
  readonly place: Place
  readonly skein: Skein
  readonly session: Session
}

/** A session in a process that does its background work. */
export async function archiveRoom(
  options: SkeinOptions = {},
  makePlace: () => Promise<Place> = memoryPlace,
  create: Parameters<Skein['sessions']['create']>[0] = {},
): Promise<ArchiveRoom> {
  const place = await makePlace()
  const skein = await place.open({ worker: true, ...options })
  return { place, skein, session: await skein.sessions.create(create) }
}

/** An exchange, sealed and ready. */
export async function addArchive(session: Session, text: string): Promise<Sealed> {
  await session.append([user(text), assistant(`about ${text}`)])
  const done = await sealed(session.commit({ wait: true, extract: false }))
  expect(done.status).toBe('ready')
  return done
}

export const headings = ['## Main Topics', '## Decisions Made', '## Outcomes & Progress', '## Action Items']
export const overviewWith = (text: string): string => headings.map(heading => `${heading}\n- ${text}`).join('\n')

type Asked = Parameters<Archiver['write']>[0]
/** Answers as it is told, and keeps what it was asked. */
export function scriptedArchiver(
  write: (asked: Asked, n: number, signal: AbortSignal) => unknown,
  more: Partial<Archiver> = {},
): Archiver & { readonly asked: Asked[] } {
  const asked: Asked[] = []
  return {
    id: 'scripted',
    asked,
    ...more,
    write: async (input, signal) => {
      asked.push(input)
      return (await write(input, asked.length, signal)) as Awaited<ReturnType<Archiver['write']>>
    },
  }
}
