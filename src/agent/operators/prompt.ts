import { invalidInput, isObject, type Json, stringify } from '#kernel'

/** Makes the prompt of one item. */
export type MakePrompt = (item: Json, index: number) => string | Promise<string>

const place = /\{\{\s*([^{}]*?)\s*\}\}/g
const name = /^item(\.[^.\s]+)*$/

/**
 * A template's places are `{{item}}` and `{{item.path.to.member}}`, list positions from 0. A text stands there as it is,
 * nothing for what an item doesn't have, the rest as JSON. Throws `input.invalid` for any other place.
 */
export function readPrompt(prompt: unknown): MakePrompt {
  if (typeof prompt === 'function') return prompt as MakePrompt
  if (typeof prompt !== 'string' || prompt.trim() === '') throw invalidInput('prompt', 'Expected a function or a template.')
  for (const [whole, path = ''] of prompt.matchAll(place))
    if (!name.test(path)) throw invalidInput('prompt', `${whole} is no place; expected {{item}} or {{item.path}}.`)
  if (/\{\{/.test(prompt.replaceAll(place, ''))) throw invalidInput('prompt', 'A place is not closed.')
  return item => prompt.replaceAll(place, (_whole, path: string) => textOf(memberOf(item, path.split('.').slice(1))))
}

function memberOf(item: Json, path: readonly string[]): Json | undefined {
  let at: Json | undefined = item
  for (const key of path)
    at = (isObject(at) || Array.isArray(at)) && Object.hasOwn(at, key) ? (at as Readonly<Record<string, Json>>)[key] : undefined
  return at
}

const textOf = (value: Json | undefined): string =>
  value === undefined ? '' : typeof value === 'string' ? value : stringify(value)
