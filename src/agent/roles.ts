import { given, isObject, type JsonObject } from '#kernel'
import type { ThinkingLevel } from '#models'
import { type Gate, readGates } from './gates.ts'
import { type Autonomy, readAutonomy } from './policy/autonomy.ts'
import { badConfig } from './policy/bad-config.ts'
import type { AgentMode } from './policy/mode.ts'
import type { RunPolicy } from './policy/run-policy.ts'

/** What somebody is there for, in one word. Source: spec/agent.md 13. */
export interface Role {
  readonly model?: string
  readonly thinking?: ThinkingLevel
  /** Names of the tools that it may use. Default: all that there are. */
  readonly tools?: readonly string[]
  /** Only tools that read. With a tool of Skein that writes among `tools`: `config.invalid`. */
  readonly readOnly?: boolean
  /** A section of the system prompt. */
  readonly instructions?: string
  readonly autonomy?: Autonomy | (string & {})
  readonly gates?: readonly Gate[]
  /** What its answer has to be, as a JSON Schema. */
  readonly outputSchema?: JsonObject
}

export const builtInRoles: ReadonlyMap<string, Role> = new Map<string, Role>([
  ['worker', {}],
  ['explorer', { model: 'haiku', thinking: 'off', readOnly: true }],
  ['reviewer', { model: 'sonnet', thinking: 'high', readOnly: true }],
])

const members = ['model', 'thinking', 'tools', 'readOnly', 'instructions', 'autonomy', 'gates', 'outputSchema']
const levels = ['off', 'minimal', 'low', 'medium', 'high', 'xhigh']
const writing = ['write', 'edit', 'bash']

/** Throws `config.invalid` for what is no role. */
export function readRole(value: unknown, name: string): Role {
  const at = (key: string): string => `roles.${name}.${key}`
  if (!isObject(value)) throw badConfig(`roles.${name}`, 'Expected an object.')
  for (const key of Object.keys(value))
    if (!members.includes(key)) throw badConfig(at(key), `Unknown member; expected ${members.join(', ')}.`)
  const { model, thinking, tools, readOnly, instructions, autonomy, gates, outputSchema } = value
  if (model !== undefined && (typeof model !== 'string' || model.trim() === '')) throw badConfig(at('model'), 'Expected a model.')
  if (thinking !== undefined && !levels.some(level => level === thinking))
    throw badConfig(at('thinking'), `Expected one of ${levels.join(', ')}.`)
  if (tools !== undefined && !(Array.isArray(tools) && tools.every(tool => typeof tool === 'string')))
    throw badConfig(at('tools'), 'Expected names of tools.')
  if (readOnly !== undefined && typeof readOnly !== 'boolean') throw badConfig(at('readOnly'), 'Expected true or false.')
  if (instructions !== undefined && typeof instructions !== 'string') throw badConfig(at('instructions'), 'Expected a text.')
  if (autonomy !== undefined) readAutonomy(autonomy)
  if (gates !== undefined) readGates(gates)
  if (outputSchema !== undefined && !isObject(outputSchema)) throw badConfig(at('outputSchema'), 'Expected a JSON Schema.')
  const writer = readOnly === true ? (tools as string[] | undefined)?.find(tool => writing.includes(plain(tool))) : undefined
  if (writer !== undefined) throw badConfig(at('tools'), `A role that only reads has no ${writer}.`)
  return value as Role
}

/** The role of a name, of which case counts for nothing. Throws `config.invalid`. */
export function findRole(name: string, more: ReadonlyMap<string, Role> = new Map()): Role {
  const role = more.get(plain(name)) ?? builtInRoles.get(plain(name))
  if (role !== undefined) return role
  throw badConfig('role', `There is no role ${name}; there are ${[...builtInRoles.keys(), ...more.keys()].join(', ')}.`)
}

/** By which rules a role's runs go. */
export function rulesOfRole({ readOnly, tools, autonomy, gates }: Role): {
  readonly mode?: AgentMode
  readonly policy?: RunPolicy
  readonly autonomy?: string
  readonly gates?: readonly Gate[]
} {
  return given({
    mode: readOnly === true ? ('reviewer' as const) : undefined,
    policy: tools && { allowTools: tools },
    autonomy,
    gates,
  })
}

const plain = (name: string): string => name.trim().toLowerCase()
