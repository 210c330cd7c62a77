/** As much of a span of `@opentelemetry/api` as is used. */
export interface OtelSpan {
  isRecording(): boolean
  setAttributes(attributes: Readonly<Record<string, OtelValue>>): unknown
  setStatus(status: { readonly code: number; readonly message?: string }): unknown
  end(): void
}
export type OtelValue = string | number | boolean | string[]
/** Opaque: which span is the parent. */
export type OtelContext = object

/** As much of the module `@opentelemetry/api` as is used. */
export interface OtelApi {
  readonly trace: {
    getTracer(name: string): {
      startSpan(
        name: string,
        options: { readonly kind: number; readonly attributes: Readonly<Record<string, OtelValue>> },
        context: OtelContext,
      ): OtelSpan
    }
    setSpan(context: OtelContext, span: OtelSpan): OtelContext
  }
  readonly context: {
    active(): OtelContext
    with<T>(context: OtelContext, work: () => T): T
  }
}

/** Where version 1 of the API keeps what was registered with it, whichever copy of the package did. */
const shelf = Symbol.for('opentelemetry.js.api.1')
const name = '@opentelemetry/api'
let loading: Promise<OtelApi | undefined> | undefined

/**
 * The API, once somebody has registered a tracer provider with it: until then no module is looked for, and nothing costs
 * anything. `undefined`, too, where the package is not installed.
 */
export function registeredApi(): Promise<OtelApi | undefined> | undefined {
  const registered = (globalThis as { readonly [shelf]?: { readonly trace?: unknown } })[shelf]
  if (registered?.trace === undefined) return undefined
  loading ??= loadApi()
  return loading
}

async function loadApi(): Promise<OtelApi | undefined> {
  try {
    const loaded = (await import(name)) as { readonly default?: OtelApi } & Partial<OtelApi>
    const api = loaded.trace === undefined ? loaded.default : loaded
    return isApi(api) ? api : undefined
  } catch {
    return undefined
  }
}

export const isApi = (api: unknown): api is OtelApi => {
  const { trace, context } = (api ?? {}) as {
    readonly trace?: Partial<OtelApi['trace']>
    readonly context?: Partial<OtelApi['context']>
  }
  return [trace?.getTracer, trace?.setSpan, context?.active, context?.with].every(verb => typeof verb === 'function')
}
