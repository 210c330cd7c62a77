import { type Json, type RunId, type SessionId, stringify, type TurnId } from '#kernel'
import type { PartInput, ToolCallPart, ToolResultPart, Usage } from '#journal'
import type { ModelInfo, ModelRequest } from '#models'
import { badConfig } from './policy/bad-config.ts'
import type { StepOutcome } from './stream-step.ts'
import { isApi, type OtelApi, type OtelContext, type OtelSpan, type OtelValue, registeredApi } from './telemetry-api.ts'
import type { TurnResult } from './turn-result.ts'

/** How runs are told to OpenTelemetry. */
export interface TelemetryOptions {
  /** What is said to models and tools, and what they say, is told, too. Default `false`. */
  readonly captureContent?: boolean
  /** The module `@opentelemetry/api`, where another one than the installed one is to be used. */
  readonly api?: object
}

/**
 * Tells runs, requests and tool calls as spans, to whomever a host has registered with `@opentelemetry/api`. Without anybody
 * there it does nothing. It never fails, whatever an exporter does. Source: spec/agent.md 17, and the semantic conventions for
 * generative AI of OpenTelemetry, 1.41.
 */
export interface Telemetry {
  run(about: RunAbout): Promise<RunSpan | undefined>
}

export interface RunAbout {
  readonly session: SessionId
  readonly run: RunId
  readonly turn: TurnId
  readonly model: ModelInfo
}

/** A run that is told. */
export interface RunSpan {
  request(model: ModelInfo, request: ModelRequest, about: { readonly step: number; readonly attempt: number }): RequestSpan
  call(call: ToolCallPart): CallSpan
  end(result: TurnResult): void
}

/** `inside` runs work as what the span is about, so that spans of others lie below it. */
interface Inside {
  inside<T>(work: () => T): T
}
export interface RequestSpan extends Inside {
  started(responseId: string | undefined): void
  end(outcome: StepOutcome): void
}
export interface CallSpan extends Inside {
  end(result: ToolResultPart): void
}

/** Throws `config.invalid`. `true` and nothing are the defaults, `false` is none. */
export function readTelemetry(value: unknown): Telemetry | undefined {
  if (value === false) return undefined
  if (value !== undefined && value !== true && (typeof value !== 'object' || value === null))
    throw badConfig('telemetry', 'Expected true, false or an object.')
  const { captureContent = false, api, ...rest } = (typeof value === 'object' ? value : {}) as TelemetryOptions
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw badConfig(`telemetry.${unknown}`, 'Unknown member; expected captureContent, api.')
  if (typeof captureContent !== 'boolean') throw badConfig('telemetry.captureContent', 'Expected true or false.')
  if (api !== undefined && !isApi(api)) throw badConfig('telemetry.api', 'Expected the module @opentelemetry/api.')
  return {
    run: async about => {
      // A run waits for the API only where there is somebody to tell.
      const found = api ?? registeredApi()
      const use = found instanceof Promise ? await found : found
      return use === undefined ? undefined : quietly(() => tellRun(use, about, captureContent))
    },
  }
}

// Constants of the API, which it promises to keep.
const internal = 0
const client = 2
const failed = 2

function tellRun(api: OtelApi, { session, run, turn, model }: RunAbout, content: boolean): RunSpan | undefined {
  const tracer = api.trace.getTracer('skein')
  const common = { 'gen_ai.conversation.id': session, 'skein.run.id': run }
  const begin = (kind: number, name: string, attributes: Attributes, parent: OtelContext): Told | undefined =>
    quietly(() => {
      const span = tracer.startSpan(name, { kind, attributes: given({ ...common, ...attributes }) }, parent)
      return { span, context: api.trace.setSpan(parent, span) }
    })
  const whole = begin(
    internal,
    'invoke_agent',
    { 'gen_ai.operation.name': 'invoke_agent', ...ofModel(model), 'skein.turn.id': turn },
    api.context.active(),
  )
  // A provider that samples this run out is told nothing more of it.
  if (whole === undefined || !whole.span.isRecording()) return undefined
  const inside =
    (told: Told | undefined) =>
    <T>(work: () => T): T =>
      told === undefined ? work() : withContext(api, told.context, work)
  return {
    request: (asked, request, { step, attempt }) => {
      const told = begin(
        client,
        `chat ${asked.id}`,
        {
          'gen_ai.operation.name': 'chat',
          ...ofModel(asked),
          'gen_ai.request.max_tokens': request.maxTokens,
          'gen_ai.request.stream': true,
          'skein.step': step,
          'skein.attempt': attempt,
          ...(content ? quietly(() => asContent(request)) : {}),
        },
        whole.context,
      )
      return {
        inside: inside(told),
        started: responseId => set(told, { 'gen_ai.response.id': responseId }),
        end: ({ finishReason, usage, error, parts }) =>
          end(
            told,
            {
              'gen_ai.response.finish_reasons': [finishReason],
              ...ofUsage(usage),
              ...(content
                ? quietly(() => ({ 'gen_ai.output.messages': told === undefined ? undefined : said(parts, finishReason) }))
                : {}),
            },
            error?.code,
          ),
      }
    },
    call: ({ tool, callId, input }) => {
      const told = begin(
        internal,
        `execute_tool ${tool}`,
        {
          'gen_ai.operation.name': 'execute_tool',
          'gen_ai.tool.name': tool,
          'gen_ai.tool.call.id': callId,
          'gen_ai.tool.type': 'function',
          ...(content ? { 'gen_ai.tool.call.arguments': stringify(input) } : {}),
        },
        whole.context,
      )
      return {
        inside: inside(told),
        end: ({ status, output }) =>
          end(
            told,
            content ? { 'gen_ai.tool.call.result': typeof output === 'string' ? output : stringify(output) } : {},
            status === 'ok' ? undefined : `tool_${status}`,
          ),
      }
    },
    end: ({ status, reason, usage, steps, finishReason, cost, error }) =>
      end(
        whole,
        {
          ...ofUsage(usage),
          'gen_ai.response.finish_reasons': finishReason === null ? undefined : [finishReason],
          'skein.run.status': status,
          'skein.run.reason': reason,
          'skein.run.steps': steps,
          'skein.run.cost_nano': cost ?? undefined,
        },
        status === 'failed' ? (error?.code ?? reason) : undefined,
      ),
  }
}

interface Told {
  readonly span: OtelSpan
  readonly context: OtelContext
}
type Attributes = Readonly<Record<string, OtelValue | undefined>>

const given = (attributes: Attributes): Record<string, OtelValue> =>
  Object.fromEntries(Object.entries(attributes).filter((pair): pair is [string, OtelValue] => pair[1] !== undefined))

function set(told: Told | undefined, attributes: Attributes): void {
  if (told !== undefined) quietly(() => told.span.setAttributes(given(attributes)))
}

function end(told: Told | undefined, attributes: Attributes, errorType: string | undefined): void {
  if (told === undefined) return
  set(told, { ...attributes, 'error.type': errorType })
  if (errorType !== undefined) quietly(() => told.span.setStatus({ code: failed, message: errorType }))
  quietly(() => told.span.end())
}

/** Whose work fails fails as ever; a context manager that breaks does not keep the work from being done. */
function withContext<T>(api: OtelApi, context: OtelContext, work: () => T): T {
  let done: { readonly value: T } | { readonly thrown: unknown } | undefined
  quietly(() =>
    api.context.with(context, () => {
      try {
        done = { value: work() }
      } catch (thrown) {
        done = { thrown }
      }
    }),
  )
  if (done === undefined) return work()
  if ('thrown' in done) throw done.thrown
  return done.value
}

function quietly<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

const providerNames: Readonly<Record<string, string>> = {
  google: 'gcp.gemini',
  moonshot: 'moonshot_ai',
  'kimi-code': 'moonshot_ai',
  'openai-codex': 'openai',
}

const ofModel = ({ provider, id }: ModelInfo): Attributes => ({
  'gen_ai.provider.name': providerNames[provider] ?? provider,
  'gen_ai.request.model': id,
})

/** Cached tokens are input tokens here. What was not told is left out. */
function ofUsage(usage: Usage | null): Attributes {
  if (usage === null) return {}
  const { inputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens, outputTokens, reasoningTokens } = usage
  const written = sum(cacheWrite5mTokens, cacheWrite1hTokens)
  return {
    'gen_ai.usage.input_tokens': inputTokens === null ? undefined : sum(inputTokens, cacheReadTokens, written ?? null),
    'gen_ai.usage.output_tokens': outputTokens ?? undefined,
    'gen_ai.usage.cache_read.input_tokens': cacheReadTokens ?? undefined,
    'gen_ai.usage.cache_creation.input_tokens': written,
    'gen_ai.usage.reasoning.output_tokens': reasoningTokens ?? undefined,
  }
}

function sum(...counts: readonly (number | null)[]): number | undefined {
  const known = counts.filter(count => count !== null)
  return known.length === 0 ? undefined : known.reduce((total, count) => total + count, 0)
}

function asContent({ system, messages, tools }: ModelRequest): Attributes {
  return {
    'gen_ai.system_instructions': system == null ? undefined : stringify([{ type: 'text', content: system }]),
    'gen_ai.input.messages': stringify(messages.map(({ role, parts }) => ({ role, parts: parts.map(asPart) }))),
    'gen_ai.tool.definitions':
      tools.length === 0
        ? undefined
        : stringify(
            tools.map(({ name, description, inputSchema }) => ({ type: 'function', name, description, parameters: inputSchema })),
          ),
  }
}

const said = (parts: readonly PartInput[], finishReason: string): string =>
  stringify([{ role: 'assistant', parts: parts.map(asPart), finish_reason: finishReason }])

/** A part as the conventions name it; of a file only what it is. */
function asPart(part: ModelRequest['messages'][number]['parts'][number] | PartInput): Json {
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return { type: part.type, content: part.text }
    case 'tool_call':
      return { type: 'tool_call', id: part.callId, name: part.tool, arguments: part.input }
    case 'tool_result':
      return { type: 'tool_call_response', id: part.callId, response: part.output }
    case 'file':
      return { type: 'file', mime_type: part.mediaType }
    default:
      return { type: (part as { type: string }).type }
  }
}
