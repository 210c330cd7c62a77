import { resolve } from 'node:path'
import { isObject } from '#kernel'
import type { ToolCallPart, ToolResultPart } from '#journal'
import { diskPlaces } from './policy/real-place.ts'
import type { CallCheckpoint } from './tools/call-checkpoint.ts'
import type { Tool } from './tool.ts'
import { placesOf } from './tools/tool-places.ts'

/** A file that a call has written. */
export interface WrittenFile {
  /** As the model named it, or else as the checkpoint of its call does. */
  readonly path: string
  /** The folder that this is relative to. */
  readonly root: string
}

const writers = ['write', 'edit']

/** What `write` or `edit` wrote, by the model's own name without a leading `./`. A dry run writes nothing. */
export function writtenBy({ tool, input }: ToolCallPart, { status }: ToolResultPart): string | undefined {
  if (status !== 'ok' || !writers.includes(tool) || !isObject(input)) return undefined
  const { path, dryRun } = input
  return typeof path === 'string' && dryRun !== true ? path.replace(/^(\.\/+)+/, '') : undefined
}

/**
 * Every file that is known to be another one since a call: what Skein's own tools wrote, and what changed of that for which any
 * tool had a checkpoint made. What a shell does is not among it.
 */
export async function writtenFiles(
  call: ToolCallPart,
  tool: Tool | undefined,
  result: ToolResultPart,
  checkpoint: CallCheckpoint | undefined,
): Promise<readonly WrittenFile[]> {
  const path = writtenBy(call, result)
  const root = (tool === undefined ? undefined : placesOf([tool])[0]?.root) ?? checkpoint?.cwd ?? null
  const named = path === undefined || root === null ? [] : [{ path, root }]
  const [first] = named
  const same = first === undefined ? undefined : await diskPlaces.below(first.root, first.path).catch(() => null)
  const kept = checkpoint?.root ?? null
  const others = kept === null ? [] : (checkpoint?.changed ?? []).map(changed => ({ path: changed, root: kept }))
  const isFirst = (other: WrittenFile): boolean =>
    first !== undefined && (other.path === same || resolve(other.root, other.path) === resolve(first.root, first.path))
  return [...named, ...others.filter(other => !isFirst(other))]
}
