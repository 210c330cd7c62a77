import { given, invalidInput, isObject } from '#kernel'
import type { ToolDescription } from '#journal'
import { type CreateOptions, Sessions } from '#session'
import type { AgentGear, AgentSession } from './agent-session.ts'
import { checkTools } from './send.ts'
import { describeTool, type Tool } from './tool.ts'

export interface AgentOptions extends Omit<CreateOptions, 'tools'>, Omit<AgentGear, 'tools'> {
  /** Tools that this process runs, or mere descriptions of tools that a host runs itself. */
  readonly tools?: readonly (Tool | ToolDescription)[]
}

/** The sessions of the face: what `create` is given to run with stays with the object in this process. */
export class AgentSessions extends Sessions<AgentSession> {
  override async create(options: AgentOptions = {}): Promise<AgentSession> {
    const { modelOverride, tools, maxSteps, ...rest } = checked(options, 'options')
    const session = await super.create({ ...rest, ...given({ tools: tools && descriptions(tools) }) })
    return session.equip(gearOf({ modelOverride, tools: runnable(tools), maxSteps }))
  }

  override async open(id: string, options: { readonly orCreate?: AgentOptions } & AgentGear = {}): Promise<AgentSession> {
    const { orCreate, ...gear } = checked(options, 'options')
    if (orCreate === undefined) return (await super.open(id)).equip(gearOf(gear))
    const { modelOverride, tools, maxSteps, ...rest } = checked(orCreate, 'orCreate')
    const session = await super.open(id, {
      orCreate: { ...rest, ...given({ tools: tools && descriptions(tools) }) },
    })
    return session.equip(gearOf({ modelOverride, tools: runnable(tools), maxSteps, ...gear }))
  }
}

/** Options are an object, and their tools a list of objects. Throws `input.invalid`. */
function checked<O extends { readonly tools?: AgentOptions['tools'] }>(options: O, path: string): O {
  if (!isObject(options)) throw invalidInput(path, 'Expected an object.')
  const { tools } = options
  if (tools !== undefined && !(Array.isArray(tools) && tools.every(isObject)))
    throw invalidInput('tools', 'Expected a list of tools.')
  return options
}

const isRunnable = (tool: Tool | ToolDescription): tool is Tool => 'run' in tool

function runnable(tools: AgentOptions['tools']): readonly Tool[] | undefined {
  return tools?.filter(isRunnable)
}

function descriptions(tools: NonNullable<AgentOptions['tools']>): ToolDescription[] {
  checkTools(tools.filter(isRunnable))
  return tools.map(tool => (isRunnable(tool) ? describeTool(tool) : tool))
}

/** Only what was given, so that opening again takes nothing away. */
function gearOf(gear: { readonly [K in keyof AgentGear]: AgentGear[K] | undefined }): AgentGear {
  return Object.fromEntries(Object.entries(gear).filter(([, value]) => value !== undefined))
}
