import { isObject, messageOf, type SessionId, within } from '#kernel'
import type { Connector, ModelInfo, ModelPort } from '#models'
import type { SessionCore } from '#session'
import { type ExtensionPlace, loadExtensionFile } from './extensions-file.ts'
import { type Gate, readGates } from './gates.ts'
import { type Hook, readHooks } from './hooks.ts'
import { badConfig } from './policy/bad-config.ts'
import { readRole, type Role } from './roles.ts'
import { describeTool, type Tool } from './tool.ts'

/** Something that an extension adds to the models of its session: a port, a connector, or what is known of a model. */
export type ExtensionModel = ModelPort | Connector | ModelInfo

/**
 * What an extension is given. It may register while it loads, for this session alone; what it registers counts once it has
 * loaded without a throw, and not at all otherwise. Shell, network, secrets and the environment are no part of it.
 * Source: spec/agent.md 13.
 */
export interface ExtensionHost {
  readonly session: SessionId
  /** Where the session works; `null` if it has no place. */
  readonly cwd: string | null
  /** A tool of the session. What it does counts as an extension's doing: the network and secrets are denied to it. */
  tool(tool: Tool): void
  hook(hook: Hook): void
  /** A port is `provider/modelId`; a connector serves all models of its provider. */
  model(model: ExtensionModel): void
  gate(gate: Gate): void
  role(name: string, role: Role): void
  /** A section of the system prompt that Skein makes; a session with a system text of its own has none. */
  promptSection(text: string): void
}

/** The default export of an extension: it is called once for each object of a session. */
export type ExtensionLoader = (skein: ExtensionHost) => unknown

/** A module by its path, or the function itself. */
export type Extension = string | ExtensionLoader

/** What extensions added to one session, in their order. */
export interface Extended {
  readonly tools: readonly Tool[]
  readonly hooks: readonly Hook[]
  readonly models: readonly ExtensionModel[]
  readonly gates: readonly Gate[]
  readonly roles: ReadonlyMap<string, Role>
  readonly sections: readonly string[]
}

export const notExtended: Extended = { tools: [], hooks: [], models: [], gates: [], roles: new Map(), sections: [] }

const loadMs = 10_000
const maxSection = 20_000

/** Throws `config.invalid` for what is no list of extensions. */
export function readExtensions(value: unknown): readonly Extension[] {
  if (!Array.isArray(value)) throw badConfig('extensions', 'Expected a list of paths and functions.')
  for (const [index, item] of value.entries())
    if (typeof item !== 'function' && (typeof item !== 'string' || item.trim() === ''))
      throw badConfig(`extensions[${index}]`, 'Expected the path of a module, or a function.')
  return value as readonly Extension[]
}

/** What is there already, which an extension may not take. */
export interface Taken {
  readonly tools: ReadonlySet<string>
  /** Throws for models that cannot stand beside those that there are. */
  accept(models: readonly ExtensionModel[]): void
}

/**
 * Loads extensions, one after the other. One that throws, breaks a rule or takes longer than 10 s leaves nothing behind but a
 * notice, and the next is loaded. Law A48.
 */
export async function loadExtensions(
  core: SessionCore,
  extensions: readonly Extension[],
  place: ExtensionPlace,
  taken: Taken,
): Promise<Extended> {
  let all = notExtended
  for (const [index, extension] of extensions.entries()) {
    const registered = new Registration(taken, all)
    try {
      await within(core.runtime.timers, loadMs, load(core, extension, place, registered), () => {
        throw new Error(`It took longer than ${loadMs} ms.`)
      })
      const next = joined(all, registered.seal())
      if (next.models.length > all.models.length) taken.accept(next.models)
      all = next
    } catch (error) {
      registered.seal()
      core.runtime.notice({
        level: 'warn',
        code: 'extension.failed',
        message: `Extension ${nameOf(extension, index)} could not be loaded and counts for nothing: ${messageOf(error)}`,
        session: core.id,
        tenant: core.store.tenant,
      })
    }
  }
  return all
}

async function load(core: SessionCore, extension: Extension, place: ExtensionPlace, into: Registration): Promise<void> {
  const loader = typeof extension === 'string' ? await loadExtensionFile(extension, place) : extension
  await loader(into.host(core.id, place.cwd))
}

const nameOf = (extension: Extension, index: number): string =>
  typeof extension === 'string' ? extension : extension.name === '' ? `#${index + 1}` : extension.name

const joined = (first: Extended, second: Extended): Extended => ({
  tools: [...first.tools, ...second.tools],
  hooks: [...first.hooks, ...second.hooks],
  models: [...first.models, ...second.models],
  gates: [...first.gates, ...second.gates],
  roles: new Map([...first.roles, ...second.roles]),
  sections: [...first.sections, ...second.sections],
})

/** What one extension registers, until it has loaded. */
class Registration {
  readonly #tools: Tool[] = []
  readonly #hooks: Hook[] = []
  readonly #models: ExtensionModel[] = []
  readonly #gates: Gate[] = []
  readonly #roles = new Map<string, Role>()
  readonly #sections: string[] = []
  readonly #taken: Taken
  readonly #before: Extended
  #sealed = false

  constructor(taken: Taken, before: Extended) {
    this.#taken = taken
    this.#before = before
  }

  host(session: SessionId, cwd: string | null): ExtensionHost {
    const open =
      <A extends readonly unknown[]>(register: (...given: A) => void) =>
      (...given: A): void => {
        if (this.#sealed) throw badConfig('extensions', 'An extension registers while it loads, not later.')
        register(...given)
      }
    return Object.freeze({
      session,
      cwd,
      tool: open((tool: Tool) => this.#tool(tool)),
      hook: open((hook: Hook) => void this.#hooks.push(...readHooks([hook]))),
      model: open((model: ExtensionModel) => void this.#models.push(readModel(model))),
      gate: open((gate: Gate) => this.#gate(gate)),
      role: open((name: string, role: Role) => this.#role(name, role)),
      promptSection: open((text: string) => void this.#sections.push(readSection(text))),
    })
  }

  /** Takes nothing more; gives what there is. */
  seal(): Extended {
    this.#sealed = true
    return {
      tools: this.#tools,
      hooks: this.#hooks,
      models: this.#models,
      gates: this.#gates,
      roles: this.#roles,
      sections: this.#sections,
    }
  }

  #tool(tool: Tool): void {
    const { name } = describeTool(tool)
    const isTaken = [...this.#before.tools, ...this.#tools].some(known => known.name === name) || this.#taken.tools.has(name)
    if (isTaken) throw badConfig('tools', `Two tools are named ${name}.`)
    this.#tools.push(asExtension(tool))
  }

  #gate(gate: Gate): void {
    readGates([gate])
    if ([...this.#before.gates, ...this.#gates].some(({ id }) => id === gate.id))
      throw badConfig('gates', `Two gates are ${gate.id}.`)
    this.#gates.push(gate)
  }

  #role(name: string, role: Role): void {
    if (typeof name !== 'string' || name.trim() === '') throw badConfig('roles', 'Expected a name.')
    this.#roles.set(name.trim().toLowerCase(), readRole(role, name))
  }
}

/** What it does is an extension's doing, unless it says that it only reads or is of a kind that is judged more strictly. */
function asExtension(tool: Tool): Tool {
  const kind = tool.kind ?? (tool.readOnly === true ? 'read' : 'extension')
  // Tools may be objects of a class, whose methods need their object.
  return Object.assign(Object.create(tool) as Tool, { kind, run: tool.run.bind(tool) })
}

function readModel(model: unknown): ExtensionModel {
  const isModel =
    isObject(model) &&
    typeof model['provider'] === 'string' &&
    (typeof model['stream'] === 'function'
      ? typeof model['modelId'] === 'string'
      : typeof model['connect'] === 'function' || typeof model['id'] === 'string')
  if (!isModel) throw badConfig('models', 'Expected a port, a connector, or what is known of a model.')
  return model as unknown as ExtensionModel
}

function readSection(text: unknown): string {
  if (typeof text !== 'string') throw badConfig('promptSection', 'Expected a text.')
  if (text.length > maxSection) throw badConfig('promptSection', `Expected at most ${maxSection} characters.`)
  return text.trim()
}
