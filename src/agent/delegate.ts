import { isObject, isSkeinError, SkeinError, stringify, toJson, wait } from '#kernel'
import { isType, lowest, type Message, trustsOf } from '#journal'
import type { AiSdkModel, ModelPort } from '#models'
import { SessionCore } from '#session'
import { activeRunOf } from './active-runs.ts'
import type { AgentPorts } from './ports.ts'
import type { Stance } from './stance.ts'
import { type ChildRun, type ChildSession, maxChildren, tellParent } from './children.ts'
import { runningIn } from './input-queue.ts'
import { schemaIssues } from './operators/json-schema.ts'
import { findRole, type Role } from './roles.ts'
import { type Parent, spawnChild, type SpawnCall } from './spawn.ts'
import type { Tool, ToolCall, ToolReply } from './tool.ts'
import type { TurnResult } from './turn-result.ts'

/** What a model says to hand something on. */
interface Order {
  readonly task: string
  readonly role?: string
  readonly tools?: readonly string[]
}

const order = {
  task: { type: 'string', description: 'all that has to be known: nothing of this conversation is seen there' },
  role: { type: 'string', description: 'worker, explorer (only reads), reviewer (only reads), or another that you were told of' },
  tools: { type: 'array', items: { type: 'string' }, description: 'names of your tools that it may use; default all' },
}

const dayMs = 86_400_000
const delegates = new WeakSet<Tool>()

/**
 * The tool `delegate`: hands a task to a sub-agent, a child session, and gives what it answers. Several tasks go on side by
 * side. It does something in sessions that were given it, or a tool of theirs, alone. Source: spec/agent.md 17.
 */
export function delegateTool(): Tool {
  const tool: Tool = {
    name: 'delegate',
    description:
      'Hands a task to a sub-agent with a conversation of its own and gives its answer. For several that do not depend on each other, give tasks.',
    input: {
      type: 'object',
      properties: {
        ...order,
        tasks: {
          type: 'array',
          maxItems: maxChildren,
          items: { type: 'object', properties: order, required: ['task'] },
          description: 'instead of task: several, side by side',
        },
      },
    },
    // It does nothing by itself; every call of the sub-agent is judged on its own, by the rules of both.
    kind: 'read',
    replay: 'idempotent',
    timeoutMs: dayMs,
    run: () => {
      throw new SkeinError('run.not_running', 'Nobody is there to hand something on.')
    },
  }
  delegates.add(tool)
  return tool
}

/** The tools of a run, with `delegate` bound to it. */
export function bindDelegate(
  tools: readonly Tool[],
  core: SessionCore,
  parent: () => Parent,
  ports: Pick<AgentPorts, 'open'>,
): readonly Tool[] {
  return tools.map(tool =>
    delegates.has(tool) ? { ...tool, run: (input, call) => handOn(core, parent(), ports, readOrders(input), call) } : tool,
  )
}

/** A session as it begins a child. `model`: the one that it uses. */
export function parentOf(
  core: SessionCore,
  ports: AgentPorts,
  { held, rules, own, recalls, extended, limitsOf }: Stance,
  model: string | ModelPort | AiSdkModel | null,
): Parent {
  const run = core.activeRun
  return {
    core,
    rules,
    tools: own,
    inherited: [...(ports.inherited?.tools ?? []), ...extended.tools],
    extensions: ports.inherited?.extensions,
    recalls,
    model,
    limits: limitsOf(run ?? 'run_').filter(limit => limit.run !== 'run_'),
    roles: extended.roles,
    cancelGraceMs: held.cancelGraceMs,
    connects: async ref =>
      await ports.connect(ref).then(
        () => true,
        () => false,
      ),
  }
}

/** What the role of a session has to say in its prompt. */
export function roleSection(name: string | null | undefined, roles: ReadonlyMap<string, Role>): readonly string[] {
  if (name == null) return []
  try {
    const { instructions = '' } = findRole(name, roles)
    return instructions.trim() === '' ? [] : [`# Role: ${name}\n${instructions.trim()}`]
  } catch {
    // The extension that knows it is not there any more.
    return []
  }
}

function readOrders(input: unknown): readonly Order[] {
  const { tasks, ...one } = (isObject(input) ? input : {}) as Partial<Order> & { readonly tasks?: readonly Order[] }
  const orders = tasks ?? [one as Order]
  if (orders.length === 0 || orders.some(({ task }) => typeof task !== 'string' || task.trim() === ''))
    throw new SkeinError('input.invalid', 'Say what is to be done, as task or as tasks.')
  return orders
}

interface Came {
  readonly child: ChildSession
  readonly result: TurnResult
  /** What the child had its answer from. */
  readonly trusts: readonly string[]
  readonly problem?: string
}

async function handOn(
  core: SessionCore,
  parent: Parent,
  ports: Pick<AgentPorts, 'open'>,
  orders: readonly Order[],
  call: ToolCall,
): Promise<ToolReply> {
  const going = activeRunOf(core)
  if (going === undefined || ports.open === undefined) throw new SkeinError('run.not_running', 'No run is going on here.')
  const about = { run: going.id, turn: going.turn, callId: call.id }
  const came = await Promise.all(
    orders.map((asked, index) => work(parent, ports.open as Open, asked, { ...about, index }, going.trust(), call)),
  )
  const isError = came.some(({ result, problem }) => !isDone(result) || problem !== undefined)
  return {
    content: came.length === 1 ? answerOf(came[0] as Came) : came.map((one, at) => `## ${at + 1}\n${answerOf(one)}`).join('\n\n'),
    isError,
    trust: lowest(['tool-observed', ...came.flatMap(({ trusts }) => trusts)]),
    details: { children: came.map(({ child, result: { status, reason, steps, cost } }) => ({ session: child.id, status, reason, steps, cost })) }, // prettier-ignore
  }
}

type Open = NonNullable<AgentPorts['open']>

const isDone = ({ status }: TurnResult): boolean => status === 'done' || status === 'done_with_concerns'

function answerOf({ result, problem }: Came): string {
  const { status, reason, text, error } = result
  if (isDone(result)) return [text, ...(problem === undefined ? [] : [problem])].join('\n\n')
  const why = `The sub-agent ended ${status}: ${reason}${error === undefined ? '' : `, ${error.message}`}.`
  return text === '' ? why : `${why} It had said: ${text}`
}

/** One child from its beginning to its end, also of a call that was begun before. */
async function work(
  parent: Parent,
  open: Open,
  { task, role, tools }: Order,
  call: SpawnCall,
  trust: string,
  { signal, progress }: ToolCall,
): Promise<Came> {
  const { outputSchema } = role === undefined ? {} : findRole(role, parent.roles)
  const options = { ...(role === undefined ? {} : { role }), ...(tools === undefined ? {} : { tools }) }
  const { id, gear } = await spawnChild(parent, options, call)
  const child = await open(id)
  child.equip({ cancelGraceMs: Math.floor(parent.cancelGraceMs * 0.8), ...gear })
  progress(`Sub-agent ${id} is at work.`)
  const shape =
    outputSchema === undefined ? '' : `\n\nAnswer with JSON alone that fits this JSON Schema:\n${stringify(outputSchema)}`
  const result = await resultOf(parent.core, child, `${task}${shape}`, trust, signal)
  const problem = outputSchema === undefined || !isDone(result) ? undefined : misshapen(result.text, outputSchema)
  const trusts = trustsOf(await messagesOf(parent.core, child, result))
  return { child, result, trusts, ...(problem === undefined ? {} : { problem }) }
}

/** What the run of a child said and was answered by its tools. */
async function messagesOf({ store }: SessionCore, child: ChildSession, { entries }: TurnResult): Promise<readonly Message[]> {
  const found = await Promise.all(entries.map(id => store.entry(child.id, id)))
  return found.flatMap(entry => (entry !== undefined && isType(entry, 'message_added') ? [entry.data] : []))
}

/** What the child's run comes to. One that a crash cut off goes on; whoever still has the child is waited for. */
async function resultOf(
  core: SessionCore,
  child: ChildSession,
  task: string,
  trust: string,
  signal: AbortSignal,
): Promise<TurnResult> {
  const { store, runtime } = core
  for (;;) {
    try {
      const row = await store.session(child.id)
      if (row !== undefined && runningIn(row) !== undefined) {
        // What it may have done is nobody's to ask here: the child is told that it is not known.
        const { run } = await child.recover({ apply: true, approvals: 'deny' })
        if (run !== null) return await comeTo(core, child, run)
      }
      return await comeTo(core, child, child.send(task, { idempotencyKey: 'delegate', trust }))
    } catch (error) {
      if (!isSkeinError(error) || error.code !== 'session.busy' || signal.aborted) throw error
      await wait(runtime.timers, 1_000, signal)
    }
  }
}

/** The parent is told of a run that ended with its process, too, right after that was written. */
async function comeTo({ store, runtime }: SessionCore, child: ChildSession, run: ChildRun): Promise<TurnResult> {
  const result = await run.result()
  await tellParent(new SessionCore(child.id, store, runtime), run.id, 0, result)
  return result
}

function misshapen(text: string, schema: NonNullable<Role['outputSchema']>): string | undefined {
  try {
    const [issue] = schemaIssues(schema, toJson(JSON.parse(text)))
    return issue === undefined ? undefined : `That is not of the shape that was asked for: ${issue.path}: ${issue.message}`
  } catch {
    return 'That is not the JSON that was asked for.'
  }
}
