import { isObject } from '#kernel'
import type { Reach } from './autonomy.ts'
import { railsIn } from './rails.ts'
import type { Places } from './real-place.ts'

/** What a tool says of itself, as far as it is judged by it. */
export interface JudgedTool {
  readonly name: string
  readonly readOnly?: boolean
  readonly kind?: 'read' | 'search' | 'ask' | 'write' | 'execute' | 'network' | 'secret' | 'extension'
  readonly approval?: boolean | ((input: never) => boolean)
  resources?(
    input: never,
  ): readonly ({ readonly path: string } | { readonly host: string } | { readonly secret: string } | { readonly rail: string })[]
}
export type Kind = NonNullable<JudgedTool['kind']>

/** What a call would do, told by its tool, its input and the disk; judging it needs nothing else. */
export interface CallFacts {
  readonly tool: JudgedTool
  readonly kind: Kind
  /** Paths that it may change, and where they lie below the session's folder: `null` is outside. */
  readonly writes: readonly { readonly asked: string; readonly relative: string | null }[]
  readonly hosts: readonly string[]
  readonly secrets: readonly string[]
  readonly rails: readonly string[]
  readonly reaches: ReadonlySet<Reach>
}

const reading: readonly Kind[] = ['read', 'search', 'ask']
const changing: readonly Kind[] = ['write', 'execute', 'extension']

/**
 * Rejects if the tool fails to say what a call touches. `input` is what the tool would get; its paths begin at `cwd`, and lie
 * below or outside of `root`.
 */
export async function readCall(
  tool: JudgedTool,
  input: unknown,
  cwd: string | null,
  places: Places,
  root: string | null = cwd,
): Promise<CallFacts> {
  const kind = tool.kind ?? (tool.readOnly === true ? 'read' : 'execute')
  const resources = tool.resources?.(input as never) ?? pathOf(kind, input)
  const paths = reading.includes(kind) ? [] : resources.flatMap(item => ('path' in item ? [item.path] : []))
  const writes = await Promise.all(paths.map(async asked => ({ asked, relative: await relativeOf(asked, cwd, root, places) })))
  const hosts = resources.flatMap(item => ('host' in item ? [item.host] : []))
  const secrets = resources.flatMap(item => ('secret' in item ? [item.secret] : []))
  const named = resources.flatMap(item => ('rail' in item ? [item.rail] : []))
  const asks = typeof tool.approval === 'function' ? tool.approval(input as never) : tool.approval === true
  const reaches = new Set<Reach>(reading.includes(kind) ? ['read'] : [])
  if (writes.some(({ relative }) => relative === null)) reaches.add('outside')
  else if (changing.includes(kind)) reaches.add('change')
  if (kind === 'network' || hosts.length > 0) reaches.add('network')
  if (kind === 'secret' || secrets.length > 0) reaches.add('secret')
  if (asks) reaches.add('asks')
  return { tool, kind, writes, hosts, secrets, rails: [...new Set([...named, ...railsOf(kind, input)])], reaches }
}

async function relativeOf(asked: string, cwd: string | null, root: string | null, places: Places): Promise<string | null> {
  if (cwd === null || root === null) return null
  return await places.below(root, cwd === root ? asked : resolvedPath(cwd, asked))
}

/** As a path that begins nowhere; one from the home folder stays as it is, and is outside. */
function resolvedPath(cwd: string, path: string): string {
  return path.startsWith('/') || path === '~' || path.startsWith('~/') ? path : `${cwd}/${path}`
}

/** A writing tool that names nothing is taken at its input's word. */
function pathOf(kind: Kind, input: unknown): readonly { readonly path: string }[] {
  return kind === 'write' && isObject(input) && typeof input['path'] === 'string' ? [{ path: input['path'] }] : []
}

function railsOf(kind: Kind, input: unknown): readonly string[] {
  return kind === 'execute' && isObject(input) && typeof input['command'] === 'string' ? railsIn(input['command']) : []
}
