import type { SessionCore } from '#session'
import type { AgentPorts, ModelScope } from './ports.ts'
import { type Extended, type Extension, type ExtensionModel, loadExtensions, notExtended } from './extensions.ts'
import type { Tool } from './tool.ts'

/** What the session that is extended was given otherwise. */
export interface Given {
  readonly extensions: readonly Extension[]
  readonly tools: readonly Tool[]
}

/** The extensions of one object of a session: loaded when it is opened, once for each list, for it alone. */
export class SessionExtensions {
  readonly #core: SessionCore
  readonly #ports: AgentPorts
  #list: readonly Extension[] = []
  #loading: Promise<Extended> | undefined
  #scope: ModelScope | undefined
  #models = new Map<string, Extract<ExtensionModel, { modelId: string }>>()
  /** What has been loaded so far. */
  now: Extended = notExtended

  constructor(core: SessionCore, ports: AgentPorts) {
    this.#core = core
    this.#ports = ports
  }

  /** Loads those of the host and those of the session, if that was not done. Rejects only if the store does. */
  async ready({ extensions, tools }: Given): Promise<Extended> {
    const wanted = [...(this.#ports.extensions ?? []), ...extensions]
    const isSame = wanted.length === this.#list.length && wanted.every((item, index) => item === this.#list[index])
    if (isSame) return (await this.#loading) ?? this.now
    this.#list = wanted
    const before = this.#loading ?? Promise.resolve(notExtended)
    const loading = before.then(
      () => this.#load(wanted, tools),
      () => this.#load(wanted, tools),
    )
    this.#loading = loading
    // What could not be loaded since the store was away is loaded when it is asked for again.
    loading.catch(() => (this.#list = []))
    return await loading
  }

  /** A model as the session knows it: one of its extensions' own, else what everybody has. */
  connect: AgentPorts['connect'] = async (model, ...more) => {
    const port = typeof model === 'string' ? this.#models.get(keyOf(model)) : undefined
    return await (this.#scope ?? this.#ports).connect(port ?? model, ...more)
  }

  async #load(list: readonly Extension[], tools: readonly Tool[]): Promise<Extended> {
    const { cwd } = await this.#core.row()
    const taken = new Set([...this.#ports.tools, ...tools].map(({ name }) => name))
    let accepted = scopeOf(this.#ports, [])
    const accept = (models: readonly ExtensionModel[]): void => void (accepted = scopeOf(this.#ports, models))
    this.now = await loadExtensions(this.#core, list, { cwd }, { tools: taken, accept })
    this.#scope = accepted.scope
    this.#models = accepted.ports
    return this.now
  }
}

type Port = Extract<ExtensionModel, { modelId: string }>

/** Throws `model.duplicate` for a model or connector that is there already. */
function scopeOf(
  ports: AgentPorts,
  models: readonly ExtensionModel[],
): { readonly scope: ModelScope | undefined; readonly ports: Map<string, Port> } {
  const own = new Map<string, Port>()
  const scope = models.some(model => !('modelId' in model)) ? ports.scope?.() : undefined
  for (const model of models)
    if ('modelId' in model) own.set(keyOf(`${model.provider}/${model.modelId}`), model)
    else scope?.register(model)
  return { scope, ports: own }
}

/** Providers ignore case; ids do not. */
function keyOf(reference: string): string {
  const text = reference.trim()
  const slash = text.indexOf('/')
  return `${text.slice(0, slash).trim().toLowerCase()}${text.slice(slash).trim()}`
}
