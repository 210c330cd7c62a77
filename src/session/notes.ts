import { asSkeinError, given, SkeinError, unlessAborted, within } from '#kernel'
import { type ContextEntry, type ContextHook, hookMs, hookTokens, messageTokens, middleCut, type Shown } from '#context'
import type { ContextNoted, Message } from '#journal'
import { countedBy } from './weigh-parts.ts'
import { type ContextState, prefixOf } from './context-state.ts'
import type { SessionCore } from './core.ts'
import { type Draft, draft } from './draft.ts'

/**
 * The notes that differ from what their hooks last showed: all of `turn`, and those of `head` when the prefix breaks anyway or
 * they stand in the context no more. A hook that fails or is late is a notice and says nothing new. Law C30.
 */
export async function changedNotes(
  core: SessionCore,
  state: ContextState,
  asked: readonly Pick<Message, 'role' | 'parts'>[] = [],
): Promise<ContextNoted[]> {
  const { hooks } = core.runtime
  if (hooks.length === 0) return []
  const renewed = state.mark === null || !prefixOf(state).same
  const due = hooks.filter(hook => {
    const shown = shownNote(state.frontier.items, hook.name)
    if (shown === undefined && hook.concerns?.(state.row) === false) return false
    return hook.place === 'turn' || renewed || shown === undefined
  })
  const texts = await Promise.all(due.map(hook => rendered(core, state, hook, saidIn(asked))))
  return due.flatMap(({ name, place, origin }, index) => {
    const text = texts[index]
    if (text === undefined || text === (shownNote(state.frontier.items, name) ?? '')) return []
    return [{ name, place, text, ...given({ origin }) }]
  })
}

/** How notes are stored, before the user message that they stand beside. */
export function noteDrafts(core: SessionCore, notes: readonly ContextNoted[], extra: Partial<Draft> = {}): Draft[] {
  const { counter } = core.keeping
  return notes.map(note =>
    draft('context_noted', note, {
      by: 'hook',
      tokens: note.text === '' ? 0 : messageTokens(noteMessage(note), counter),
      ...countedBy(counter),
      ...extra,
    }),
  )
}

/** The notes as they stand in a context that stores nothing. */
export function noteEntries(core: SessionCore, notes: readonly ContextNoted[]): ContextEntry[] {
  return notes.map(note => {
    const message = noteMessage(note)
    const tokens = messageTokens(message, core.keeping.counter)
    return { id: `ent_${note.name}`, seq: 0, at: core.runtime.clock.now(), message, tokens, note }
  })
}

const noteMessage = ({ text, origin }: ContextNoted): Message => ({
  role: 'user',
  parts: [{ type: 'text', text, ...given({ origin }) }],
})

/** What the newest note of a name says that still stands in the context itself. */
function shownNote(items: readonly Shown[], name: string): string | undefined {
  const item = items.findLast(one => one.kind === 'entry' && one.entry.note?.name === name)
  return item?.kind === 'entry' ? item.entry.note?.text : undefined
}

/** What the user says in these messages; undefined if nothing. */
function saidIn(messages: readonly Pick<Message, 'role' | 'parts'>[]): string | undefined {
  const texts = messages.flatMap(({ role, parts }) =>
    role === 'user' ? parts.flatMap(part => (part.type === 'text' && part.origin !== 'recall' ? [part.text] : [])) : [],
  )
  return texts.length === 0 ? undefined : texts.join('\n')
}

/** Undefined when it failed; an empty text when there is nothing to say. */
async function rendered(
  core: SessionCore,
  { row }: ContextState,
  hook: ContextHook,
  said: string | undefined,
): Promise<string | undefined> {
  const late = new AbortController()
  const { timers } = core.runtime
  try {
    const state = { tenant: core.store.tenant, session: core.id, row, signal: late.signal, ...given({ said }) }
    const call = async (): Promise<string | null> => await hook.render(state)
    const tooLate = (): never => {
      const error = new SkeinError('provider.unavailable', `Took longer than ${hookMs} ms.`)
      late.abort(error)
      throw error
    }
    const text = await within(timers, hookMs, unlessAborted(call(), late.signal), tooLate, { awaited: true })
    if (text !== null && typeof text !== 'string') throw new SkeinError('input.invalid', 'It gave no text.')
    return middleCut(text ?? '', hookTokens, core.keeping.counter, left => `[… ${left} tokens left out …]`)
  } catch (error) {
    core.runtime.notice({
      level: 'warn',
      code: 'context.hook_failed',
      message: `The context hook ${hook.name} failed: ${asSkeinError(error).code}.`,
      session: core.id,
      tenant: core.store.tenant,
    })
    return undefined
  }
}
