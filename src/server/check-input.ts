import type { z } from '@hono/zod-openapi'
import { type Json, SkeinError } from '#kernel'

export interface Issue {
  readonly path: string
  readonly message: string
}

/** Query parameters by name; one that is given more than once is a list. */
export function queryOf(url: URL): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>
  for (const name of new Set(url.searchParams.keys())) {
    const values = url.searchParams.getAll(name)
    query[name] = values.length === 1 ? (values[0] ?? '') : values
  }
  return query
}

/** The query as its schema reads it. Throws `input.invalid` with every parameter that is unknown or wrong. Law H2. */
export function checkQuery<T>(schema: z.ZodType<T>, url: URL): T {
  const read = schema.safeParse({ ...queryOf(url) })
  if (read.success) return read.data
  throw refused(read.error.issues.flatMap(issue => issuesOf(issue, 'Unknown parameter.')))
}

/**
 * Checks a body and hands back what came, not a copy: what the schema leaves open is the verb's to check.
 * Throws `input.invalid` with every field that is unknown or wrong. Law H2.
 */
export function checkBody<T>(schema: z.ZodType<T>, body: Json): T {
  const read = schema.safeParse(body)
  const own = Object.hasOwn(Object(body) as object, '__proto__') ? [{ path: '__proto__', message: 'Unknown field.' }] : []
  if (read.success && own.length === 0) return body as T
  throw refused([...own, ...(read.error?.issues ?? []).flatMap(issue => issuesOf(issue, 'Unknown field.'))])
}

function refused(issues: readonly Issue[]): SkeinError {
  const first = issues[0]
  const message = first === undefined ? 'Invalid.' : first.path === '' ? first.message : `${first.path}: ${first.message}`
  return new SkeinError('input.invalid', message, { details: { path: first?.path ?? '', issues } })
}

function issuesOf(issue: z.core.$ZodIssue, unknown: string): Issue[] {
  const path = pathOf(issue.path)
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(key => ({ path: path === '' ? key : `${path}.${key}`, message: unknown }))
  if (issue.code === 'invalid_value') return [{ path, message: `Expected ${oneOf(issue.values.map(String))}.` }]
  if (issue.code === 'invalid_union') return issuesOfUnion(issue, path, unknown)
  return [{ path, message: sentence(issue.message) }]
}

/** What is wrong with the alternative that fits best: the one that isn't something else altogether. If none fits, what may stand there. */
function issuesOfUnion(issue: z.core.$ZodIssueInvalidUnion, path: string, unknown: string): Issue[] {
  const otherwise = (found: z.core.$ZodIssue): boolean =>
    found.path.length === 0 && (found.code === 'invalid_type' || found.code === 'invalid_value')
  const near = issue.errors.find(found => found.length > 0 && !found.some(otherwise))
  if (near !== undefined) return near.flatMap(found => issuesOf({ ...found, path: [...issue.path, ...found.path] }, unknown))
  const wrong = issue.errors.flat().filter(otherwise)
  const fitting = wrong.flatMap(found =>
    found.code === 'invalid_type' ? [found.expected] : found.code === 'invalid_value' ? found.values.map(String) : [],
  )
  const received = wrong.map(({ message }) => / received (\w+)$/.exec(message)?.[1]).find(type => type !== undefined)
  const rest = received === undefined ? '' : `, received ${received}`
  return [{ path, message: sentence(fitting.length === 0 ? issue.message : `Expected ${oneOf([...new Set(fitting)])}${rest}`) }]
}

const oneOf = (names: readonly string[]): string => (names.length === 1 ? String(names[0]) : `one of ${names.join(', ')}`)

function sentence(told: string): string {
  const missing = /^(?:Invalid input: e|E)xpected (.+), received undefined$/.exec(told)?.[1]
  if (missing !== undefined) return `Missing; expected ${missing}.`
  return told.replace(/^Invalid input: e/, 'E').replace(/([^.])$/, '$1.')
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? String(step) : `${text}.${String(step)}`),
    '',
  )
}
