import { aText, type Check, invalidInput, isObject, listOf, type Members, oneOf, orNull, shape, wholeNumber } from '#kernel'
import { type VerbOptions, writing } from '#session'
import { type CommitmentKind, commitmentKinds, stateFields, type StatePatch } from './working-state.ts'

export interface UpdateOptions extends VerbOptions {
  /** The version that the caller has seen: `store.conflict` if it is another by now. */
  readonly version?: number
}

/** A commitment as a caller tells it; without a kind it is a loop. */
export interface CommitmentInput {
  readonly text: string
  readonly kind?: CommitmentKind
}

export interface DueOptions {
  /** Default 10 and 10,000. */
  readonly turns?: number
  readonly tokens?: number
}

const patch: Members<StatePatch> = {
  objective: orNull(aText),
  stage: orNull(aText),
  nextStep: orNull(aText),
  blockers: orNull(listOf(aText, 'texts')),
}
const blank: Check = (value, path) => {
  if (typeof value !== 'string' || value.trim() === '') throw invalidInput(path, 'Expected a text that is not blank.')
}
const checkPatch = shape<StatePatch>(patch, 'patch')
const checkCommitment = shape<CommitmentInput>({ text: blank, kind: oneOf(...commitmentKinds) }, 'commitment')

export const checkState: Readonly<Record<'update' | 'due' | 'status', (value: unknown) => void>> = {
  update: shape<UpdateOptions>({ ...writing, version: wholeNumber() }),
  due: shape<DueOptions>({ turns: wholeNumber(1), tokens: wholeNumber(1) }),
  status: value => oneOf('fulfilled', 'expired')(value, 'status'),
}

/** Only what was given; texts trimmed, a blank one clears. Throws `input.invalid` with the field. Law M64. */
export function readPatch(value: unknown): StatePatch {
  if (!isObject(value)) throw invalidInput('patch', 'Expected an object.')
  checkPatch(value)
  const given = stateFields.flatMap(field => {
    const told = (value as StatePatch)[field]
    return told === undefined ? [] : [[field, cleanField(told)]]
  })
  return Object.fromEntries(given) as StatePatch
}

function cleanField(value: string | null | readonly string[]): string | null | string[] {
  if (typeof value === 'string') return value.trim() === '' ? null : value.trim()
  return value === null ? null : value.map(text => text.trim()).filter(text => text !== '')
}

export function readCommitment(value: unknown): Required<CommitmentInput> {
  if (!isObject(value)) throw invalidInput('commitment', 'Expected { text, kind }.')
  blank(value['text'], 'text')
  checkCommitment(value)
  const { text, kind = 'loop' } = value as unknown as CommitmentInput
  return { text: text.trim(), kind }
}

export function readReason(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw invalidInput('reason', 'Expected a text.')
  return value
}
