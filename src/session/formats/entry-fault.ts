import { isId, isObject } from '#kernel'
import { type Entry, isKnown, type KnownEntryType, usageFields } from '#journal'

/**
 * What is wrong with the data of an entry that comes from elsewhere, or `undefined`. Of types that are read when a session
 * is shown, what the readers rely on is checked; unknown types and newer versions pass as they are.
 */
export function faultOfEntry(entry: Entry): string | undefined {
  if (entry.tokens !== undefined && !isTokens(entry.tokens)) return 'tokens'
  if (entry.totals !== undefined && !(isObject(entry.totals) && countsIn(entry.totals, ['messages', 'turns', 'tokens'])))
    return 'totals'
  if (!isKnown(entry)) return undefined
  const faults = checks[entry.type]
  if (faults === undefined) return undefined
  return isObject(entry.data) ? faults(entry.data) : 'data'
}

/** More than the largest entry with its blobs can weigh; sums of such stay exact. */
const maxTokens = 2 ** 31

type Data = Record<string, unknown>
type Check = (data: Data) => string | undefined

const isText = (value: unknown): boolean => typeof value === 'string'
const isTextOrNull = (value: unknown): boolean => value === null || typeof value === 'string'
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isTokens = (value: unknown): boolean => isCount(value) && (value as number) <= maxTokens
const isCountOrNull = (value: unknown): boolean => value === null || isCount(value)
const countsIn = (value: Data, names: readonly string[]): boolean => names.every(name => isCount(value[name]))
const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText)

/** The first member that is there and wrong; one that must be there is wrong when it is not. */
const members =
  (...wanted: readonly (readonly [name: string, fits: (value: unknown) => boolean, optional?: 'optional'])[]): Check =>
  data =>
    wanted.find(([name, fits, optional]) => !(optional === 'optional' && data[name] === undefined) && !fits(data[name]))?.[0]

const checks: { readonly [T in KnownEntryType]?: Check } = {
  session_created: members(
    ['title', isTextOrNull, 'optional'],
    ['user', isTextOrNull, 'optional'],
    ['agent', isText, 'optional'],
    ['cwd', isTextOrNull, 'optional'],
    ['parent', value => value === null || isId('ses', value), 'optional'],
    ['platform', isTextOrNull, 'optional'],
    ['tags', areTexts, 'optional'],
    ['metadata', isObject, 'optional'],
    ['model', isTextOrNull, 'optional'],
    ['thinking', isTextOrNull, 'optional'],
    ['system', isTextOrNull, 'optional'],
  ),
  session_forked: members(['from', value => isId('ses', value)], ['at', value => isId('ent', value)], ['seq', isCount]),
  session_titled: members(['title', isTextOrNull]),
  session_annotated: members(['tags', areTexts, 'optional'], ['metadata', isObject, 'optional']),
  session_ended: members(['reason', isText]),
  session_deleted: members(['until', isCount]),
  entry_labelled: members(['entry', value => isId('ent', value)], ['label', isTextOrNull]),
  hold_added: members(['reason', isText]),
  hold_removed: members(['reason', isText]),
  model_changed: members(['model', isTextOrNull]),
  thinking_changed: members(['level', isTextOrNull]),
  system_changed: members(['system', isTextOrNull]),
  tools_changed: members(['tools', value => Array.isArray(value) && value.every(isTool)]),
  turn_started: members(['index', isCount]),
  message_added: members(
    ['role', value => ['user', 'assistant', 'tool', 'system'].includes(value as string)],
    ['parts', value => Array.isArray(value) && value.every(isPart)],
  ),
  turn_ended: members(['index', isCount], ['tools', value => Array.isArray(value) && value.every(isToolCount), 'optional']),
  usage_recorded: members(
    ['requestId', isText],
    ['purpose', isText, 'optional'],
    ['model', isTextOrNull, 'optional'],
    ['usage', value => isObject(value) && usageFields.every(field => isCountOrNull(value[field]))],
    ['cost', isCountOrNull],
  ),
  custom: members(['name', isText], ['text', isText, 'optional']),
}

const isTool = (value: unknown): boolean => isObject(value) && isText(value['name']) && isText(value['description'])

const isToolCount = (value: unknown): boolean =>
  isObject(value) && isText(value['tool']) && ['calls', 'errors', 'ms'].every(name => Number.isFinite(value[name]))

/** A part by its type, whole or with its payload set aside. A type that is not known passes. */
function isPart(part: unknown): boolean {
  if (!isObject(part) || !isText(part['type'])) return false
  if (part['outline'] !== undefined && !isText(part['outline'])) return false
  const aside = isText(part['blob']) && isText(part['encoding']) && isText(part['preview']) && isCount(part['bytes'])
  switch (part['type']) {
    case 'text':
    case 'reasoning':
      return aside || isText(part['text'])
    case 'tool_call':
      return isText(part['callId']) && isText(part['tool']) && (aside || part['input'] !== undefined)
    case 'tool_result':
      return isText(part['callId']) && isText(part['tool']) && isText(part['status']) && (aside || part['output'] !== undefined)
    case 'file':
      return isText(part['mediaType']) && isCount(part['bytes']) && (part['tokens'] === undefined || isTokens(part['tokens']))
    default:
      return true
  }
}
