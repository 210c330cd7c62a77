import type { Tool } from '#agent'
import { messageTokens, toolsTokens, weightsCounter } from '#context'
import { fullUsage } from '#journal'
import type { ModelEvent, ModelPort, ModelRequest } from '#models'
import { toJson, unlessAborted } from '#kernel'
import type { Scene, SceneCall, SceneTurn } from './scene.ts'

/** What the model was shown over a whole scene, as it saw it. */
export interface Shown {
  requests: number
  tokens: number
  largest: number
  overBudget: number
  /** Requests that did not begin with the one before, byte for byte. */
  breaks: number
  /** Envelopes of summaries that something inside has closed or opened. */
  escaped: number
  /** Calls without their one result right behind them, and results without a call. */
  brokenPairs: number
  /** Requests in which the newest ask does not stand whole. */
  cutAsks: number
  /** Orders out of results that stand where they could be taken for somebody's words. */
  loose: number
}

/** Plays a scene: a model and its tools. `stop` is called where a turn is to be cancelled. */
export interface Actor {
  readonly model: ModelPort
  readonly tools: readonly Tool[]
  readonly shown: Shown
  begin(turn: number, stop: () => void): void
  /** Has the next turn ask one tool of the session itself, once; `heard` is what that gave. */
  ask(tool: string, input: Readonly<Record<string, string>>): void
  heard(): string
}

export interface Budget {
  readonly window: number
  readonly output: number
  readonly usable: number
}

export function actorFor(scene: Scene, { window, output, usable }: Budget): Actor {
  const shown: Shown = {
    requests: 0,
    tokens: 0,
    largest: 0,
    overBudget: 0,
    breaks: 0,
    escaped: 0,
    brokenPairs: 0,
    cutAsks: 0,
    loose: 0,
  }
  const calls = new Map<string, SceneCall>(
    scene.turns.flatMap(({ steps }) => steps.flatMap(step => step.calls.map(call => [call.callId, call] as const))),
  )
  let turn: (Pick<SceneTurn, 'abort'> & { readonly steps: readonly AnyStep[] }) | undefined = scene.turns[0]
  let step = 0
  let heard = ''
  let asked = 0
  let stop = (): void => undefined
  let before: readonly string[] = []
  let ask = ''

  const see = (request: ModelRequest): number => {
    const tokens =
      (request.system == null ? 0 : weightsCounter.count(request.system)) +
      toolsTokens(request.tools, weightsCounter) +
      request.messages.reduce((sum, message) => sum + messageTokens(message, weightsCounter), 0)
    const now = request.messages.flatMap(({ role, parts }) => parts.map(part => JSON.stringify([role, toJson(part as never)])))
    shown.requests++
    shown.tokens += tokens
    shown.largest = Math.max(shown.largest, tokens)
    if (tokens >= usable) shown.overBudget++
    if (before.some((part, at) => now[at] !== part)) shown.breaks++
    if (request.messages.some(({ parts }) => parts.some(part => part.type === 'text' && isTorn(part.text)))) shown.escaped++
    shown.brokenPairs += brokenPairs(request)
    if (!request.messages.some(({ role, parts }) => role === 'user' && parts.some(part => textOf(part).includes(ask))))
      shown.cutAsks++
    if (isLoose(request, scene.injected)) shown.loose++
    before = now
    return tokens
  }

  async function* stream(request: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    signal.throwIfAborted()
    const tokens = see(request)
    heard = lastResult(request) ?? heard
    const { text, calls: wanted } = turn?.steps[step] ?? { text: 'Nothing more to say.', calls: [] }
    const isLast = step >= (turn?.steps.length ?? 0) - 1
    step++
    yield { type: 'request_started' }
    if (isLast && turn?.abort === 'answer') {
      yield { type: 'text_delta', id: 'text', text: text.slice(0, text.length / 2) }
      stop()
      await unlessAborted(new Promise<never>(() => {}), signal)
    }
    yield { type: 'text_delta', id: 'text', text }
    for (const { callId, tool, input } of wanted) yield { type: 'call_ended', callId, name: tool, input: JSON.stringify(input) }
    yield { type: 'usage', usage: fullUsage({ inputTokens: tokens, outputTokens: weightsCounter.count(text) }) }
    yield { type: 'ended', reason: wanted.length > 0 ? 'tool_calls' : 'stop' }
  }

  const tool = (name: SceneCall['tool']): Tool => ({
    name,
    description: 'Part of the scene.',
    input: { type: 'object' },
    readOnly: true,
    async run(_input, { id, signal }) {
      if (turn?.abort !== 'calls') return calls.get(id)?.output
      stop()
      return await unlessAborted(new Promise<never>(() => {}), signal)
    },
  })

  return {
    model: { provider: 'scripted', modelId: 'scene', info: { contextWindow: window, maxOutput: output }, stream },
    tools: [tool('read_file'), tool('run_checks'), tool('lookup')],
    shown,
    begin(at, onStop) {
      turn = scene.turns[at]
      ask = scene.turns[at]?.user ?? ''
      step = 0
      stop = onStop
    },
    ask(name, input) {
      turn = {
        steps: [
          { text: '', calls: [{ callId: `ask_${(asked += 1)}`, tool: name, input }] },
          { text: 'I see.', calls: [] },
        ],
      }
      step = 0
      ask = ''
      heard = ''
    },
    heard: () => heard,
  }
}

interface AnyStep {
  readonly text: string
  readonly calls: readonly { readonly callId: string; readonly tool: string; readonly input: Readonly<Record<string, string>> }[]
}

function lastResult({ messages }: ModelRequest): string | undefined {
  const result = messages.at(-1)?.parts.find(part => part.type === 'tool_result')
  if (result === undefined) return undefined
  return typeof result.output === 'string' ? result.output : JSON.stringify(result.output)
}

const textOf = (part: ModelRequest['messages'][number]['parts'][number]): string => (part.type === 'text' ? part.text : '')

function brokenPairs({ messages }: ModelRequest): number {
  let open: string[] = []
  let broken = 0
  for (const { role, parts } of messages) {
    const results = parts.flatMap(part => (part.type === 'tool_result' ? [part.callId] : []))
    broken += results.filter(id => !open.includes(id)).length
    open = open.filter(id => !results.includes(id))
    if (role === 'tool') continue
    broken += open.length
    open = parts.flatMap(part => (part.type === 'tool_call' ? [part.callId] : []))
  }
  return broken + open.length
}

/** Inside the envelope of a summary, or in the result that brought it, an order is a record. */
function isLoose({ system, messages }: ModelRequest, orders: readonly string[]): boolean {
  const bare = messages.flatMap(({ parts }) => parts.map(part => textOf(part).replace(/<summary [^]*?<\/summary>/g, '')))
  return orders.some(order => [system ?? '', ...bare].some(text => text.includes(order)))
}

/** Whether the envelopes of summaries in a text do not open and close in turn. */
function isTorn(text: string): boolean {
  let open = false
  for (const [tag] of text.matchAll(/<\/?summary[\s>]/g)) {
    if (open !== tag.startsWith('</')) return true
    open = !open
  }
  return open
}
