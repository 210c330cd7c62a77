import type { AgentPorts } from '#agent'
import { given, type Random } from '#kernel'
import { type ConnectOptions, createModels, credentialFile, credentialPlace, type Models } from '#models'
import type { ModelFacts, Runtime } from '#session'
import type { SkeinOptions } from './skein-options.ts'

/** The models of one opening, with the file of keys and logins that they are reached with. */
export function modelsOf(
  options: SkeinOptions,
  { clock, timers, notice, random }: Pick<Runtime, 'clock' | 'timers' | 'notice'> & { readonly random: Random },
): Models {
  const env = options.env ?? {}
  const kept = options.credentials?.trim() || credentialPlace(env)
  return createModels({
    ...given({ store: kept === undefined ? undefined : credentialFile(kept, { random }) }),
    ...options.models,
    env,
    clock,
    timers,
    notice: given => notice({ ...given, level: given.level === 'warning' ? 'warn' : given.level }),
  })
}

/** How a session reaches its model, or the one of sessions that name none, which is looked up once. */
export function connecting(models: Models, wanted: string | undefined): Pick<AgentPorts, 'connect' | 'scope'> {
  let found: Promise<string> | undefined
  const defaultModel = (): Promise<string> => {
    found ??= Promise.resolve(wanted ?? models.defaultModel())
    // What could not be read now may be repaired.
    found.catch(() => (found = undefined))
    return found
  }
  const connectBy =
    (all: Pick<Models, 'override' | 'connect'>): AgentPorts['connect'] =>
    async (model, options: ConnectOptions = {}) =>
      typeof model === 'object' && model !== null
        ? all.override(model)
        : await all.connect(model ?? (await defaultModel()), options)
  return {
    connect: connectBy(models),
    scope: () => {
      const own = models.scope()
      return { register: own.register, connect: connectBy(own) }
    },
  }
}

/** What is known of a session's model; an unknown name is no error here, a window is then assumed. */
export function factsOf(models: Models, ref: string | null): ModelFacts {
  if (ref === null) return {}
  try {
    return models.resolve(ref).info
  } catch {
    return {}
  }
}
