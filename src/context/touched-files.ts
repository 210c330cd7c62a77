import { isObject, type Json } from '#kernel'
import type { ToolCallPart } from '#journal'
import { isPath } from './anchor-patterns.ts'
import type { Source } from './summarizer.ts'

export interface TouchedFile {
  readonly path: string
  /** In the order in which they first happened. */
  readonly operations: readonly string[]
}

const operationOf: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({
    wrote: 'write create save append overwrite touch mkdir',
    edited: 'edit patch replace update apply modify insert str',
    deleted: 'delete remove unlink rm',
    moved: 'move rename mv',
    read: 'read view open cat load show head tail',
    searched: 'search grep find glob list ls',
  }).flatMap(([operation, verbs]) => verbs.split(' ').map(verb => [verb, operation])),
)

/** Which of these changed a file. */
export const writing: ReadonlySet<string> = new Set(['wrote', 'edited', 'deleted', 'moved'])

/** Files named by the calls of a range, in order, with what was done to them; calls that failed did nothing. */
export function touchedFiles(sources: readonly Source[]): TouchedFile[] {
  const parts = sources.flatMap(source => source.message?.parts ?? [])
  const failed = new Set(parts.flatMap(part => (part.type === 'tool_result' && part.status !== 'ok' ? [part.callId] : [])))
  const files = new Map<string, Set<string>>()
  for (const part of parts) {
    if (part.type !== 'tool_call' || failed.has(part.callId)) continue
    const operation = operationOfCall(part)
    for (const path of pathsIn(part.input)) {
      const operations = files.get(path) ?? new Set()
      files.set(path, operations.add(operation))
    }
  }
  return Array.from(files, ([path, operations]) => ({ path, operations: [...operations] }))
}

/** From the verb in the tool's name, or in its `command` where one tool does all; else the tool's name. */
function operationOfCall({ tool, input }: ToolCallPart): string {
  const command = isObject(input) && typeof input['command'] === 'string' ? input['command'] : ''
  const words = `${/^\w{1,30}$/.test(command) ? command : ''} ${tool.slice(0, 200)}`
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
  const verb = words.find(word => Object.hasOwn(operationOf, word))
  return (verb === undefined ? undefined : operationOf[verb]) ?? tool
}

const pathMember = /(?:path|file|filename|file_name|notebook)s?$/i
const mostValues = 1_000

function pathsIn(input: Json): string[] {
  const paths: string[] = []
  const waiting: [string, Json][] = [['', input]]
  for (let seen = 0; seen < mostValues; seen++) {
    const next = waiting.shift()
    if (next === undefined) break
    const [name, value] = next
    if (typeof value === 'string') {
      if (isOneLine(value) && (pathMember.test(name) || isPath(value))) paths.push(value)
    } else if (Array.isArray(value)) waiting.push(...value.slice(0, mostValues).map((item: Json): [string, Json] => [name, item]))
    else if (isObject(value)) waiting.push(...(Object.entries(value).slice(0, mostValues) as [string, Json][]))
  }
  return paths
}

const isOneLine = (value: string): boolean => value.length > 0 && value.length <= 512 && !/[\n\r]/.test(value)
