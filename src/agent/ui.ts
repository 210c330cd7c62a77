import { isObject, messageOf, unlessAborted } from '#kernel'
import type { SessionCore } from '#session'
import { badConfig } from './policy/bad-config.ts'
import { nullUi, type UserInterface } from './tool.ts'

const asking = ['confirm', 'select', 'multiSelect', 'input', 'custom'] as const
const showing = ['notify', 'setStatus', 'setWidget'] as const

/** Throws `config.invalid` for what can neither show nor ask. What a port lacks answers `undefined`. */
export function readUi(value: unknown): Partial<UserInterface> {
  if (!isObject(value)) throw badConfig('ui', 'Expected an object with the verbs of a user interface.')
  for (const name of [...asking, ...showing])
    if (value[name] !== undefined && typeof value[name] !== 'function') throw badConfig(`ui.${name}`, 'Expected a function.')
  if (value['hasUi'] !== undefined && typeof value['hasUi'] !== 'boolean') throw badConfig('ui.hasUi', 'Expected true or false.')
  return value as Partial<UserInterface>
}

/** Whether somebody may answer; a port that doesn't say so is there to be asked. */
export const hasUi = (ui: Partial<UserInterface> | undefined): boolean => ui !== undefined && ui.hasUi !== false

/**
 * A port for one call or question: what it asks ends with `undefined` when `signal` aborts, and showing something never fails
 * the one who shows it. A question that breaks rejects.
 */
export function uiFor(core: SessionCore, ui: Partial<UserInterface> | undefined, signal: AbortSignal): UserInterface {
  if (ui === undefined || !hasUi(ui)) return nullUi
  const broke = (name: string, error: unknown): void =>
    core.runtime.notice({
      level: 'warn',
      code: 'ui.failed',
      message: `The user interface failed to ${name}: ${messageOf(error)}`,
      session: core.id,
      tenant: core.store.tenant,
    })
  const ask = async <T>(
    question: (options: { readonly signal: AbortSignal }) => Promise<T> | undefined,
  ): Promise<T | undefined> => {
    if (signal.aborted) return undefined
    const answer = (async () => await question({ signal }))()
    try {
      return await unlessAborted(answer, signal)
    } catch (error) {
      if (signal.aborted) return undefined
      throw error
    }
  }
  const show = (name: string, call: () => void): void => {
    try {
      call()
    } catch (error) {
      broke(name, error)
    }
  }
  return {
    hasUi: true,
    confirm: question => ask(more => ui.confirm?.(question, more)),
    select: (question, choices) => ask(more => ui.select?.(question, choices, more)),
    multiSelect: (question, choices) => ask(more => ui.multiSelect?.(question, choices, more)),
    input: question => ask(more => ui.input?.(question, more)),
    custom: (name, data) => ask(more => ui.custom?.(name, data, more)),
    notify: (message, level) => show('notify', () => ui.notify?.(message, level)),
    setStatus: text => show('setStatus', () => ui.setStatus?.(text)),
    setWidget: (name, content) => show('setWidget', () => ui.setWidget?.(name, content)),
  }
}
