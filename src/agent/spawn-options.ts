import { anObject, aText, type Check, isObject, listOf, type Members, shape } from '#kernel'
import type { ToolDescription } from '#journal'
import { type AgentOptions, creatingAgent } from './agent-options.ts'
import type { AiSdkTools, Tool } from './tool.ts'

/**
 * What a child is begun with. What is left out is its parent's: the model, the folder, the tools and the rules. Rules and
 * allowance may only narrow those of the parent, which hold for it all the same; a tool that the parent lacks is left out.
 */
export interface SpawnOptions extends Omit<AgentOptions, 'parent' | 'user' | 'durable' | 'tools'> {
  /** A role by its name: of Skein's, or of an extension's. */
  readonly role?: string
  /** Names of the parent's tools, or tools that stand in for those of their names. Default: all that the parent has. */
  readonly tools?: readonly (string | Tool | ToolDescription)[] | AiSdkTools
}

const aToolOrName: Check = (value, path) => {
  if (typeof value !== 'string') anObject(value, path)
}
const someTools: Check = (value, path) => (isObject(value) ? undefined : listOf(aToolOrName, 'tools')(value, path))

const { parent: _parent, user: _user, durable: _durable, ...own } = creatingAgent
const spawning: Members<SpawnOptions> = { ...own, role: aText, tools: someTools }

/** Throws for whatever else is given, before any effect. Law H2. */
export const checkSpawn: (value: unknown, path?: string) => void = shape<SpawnOptions>(spawning)
