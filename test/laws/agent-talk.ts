import { isType, type Message } from '#journal'
import { isSkeinError } from '#kernel'
import { type ScriptedModel, scriptedModel, type ScriptedStep } from '#models'
import type { Session, Skein } from '#skein'

export type Run = ReturnType<Session['send']>
export type Tools = NonNullable<Parameters<Skein['sessions']['create']>[0]>['tools']

export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return isSkeinError(error) ? error.code : String(error)
  }
  return 'resolved'
}

/** A promise that the test keeps when it likes. */
export const gate = (): { readonly promise: Promise<void>; open(): void } => {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { promise, open: resolve }
}

export const tool = (name: string, run: (input: never, call: never) => unknown, more: object = {}) =>
  ({ name, description: `Does ${name}.`, input: { type: 'object' }, run, ...more }) as const

export const call = (name: string, input: object = {}): { tool: string; input: never } => ({ tool: name, input: input as never })

export async function talk(
  skein: Skein,
  steps: readonly ScriptedStep[],
  tools: Tools = [],
  more: object = {},
): Promise<{ readonly session: Session; readonly model: ScriptedModel }> {
  const model = scriptedModel(steps)
  return { session: await skein.sessions.create({ modelOverride: model, tools, ...more }), model }
}

const plain = (output: unknown): string => (typeof output === 'string' ? output : JSON.stringify(output))

/** What a message says: its text, or the outputs of its results. */
export const said = (message: Message | undefined): string =>
  (message?.parts ?? [])
    .map(part => (part.type === 'text' ? part.text : part.type === 'tool_result' ? plain(part.output) : `<${part.type}>`))
    .join('|')

export async function typesOf(session: Session): Promise<string[]> {
  return (await session.entries()).map(entry => entry.type)
}

/** Every admitted input with what became of it. */
export async function fatesOf(session: Session): Promise<string[]> {
  const entries = await session.entries({ types: ['input_admitted', 'input_delivered', 'input_dropped'] })
  return entries.flatMap(admitted => {
    if (!isType(admitted, 'input_admitted') || admitted.data.delivery === 'start') return []
    const { input, delivery } = admitted.data
    const fate = entries.flatMap(entry => {
      if (isType(entry, 'input_delivered') && entry.data.input === input) return ['delivered']
      return isType(entry, 'input_dropped') && entry.data.input === input ? [entry.data.reason] : []
    })
    return [`${delivery}: ${fate.join(' and ') || 'waits'}`]
  })
}
