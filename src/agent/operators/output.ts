import {
  isObject,
  isSkeinError,
  isStandardSchema,
  type Json,
  type JsonObject,
  messageOf,
  type StandardSchema,
  stringify,
  toJson,
  validate,
} from '#kernel'
import { checkJsonSchema, schemaIssues } from './json-schema.ts'

/** What an answer came to: an output, or why it is none. */
export type Checked =
  | { readonly output: Json }
  | { readonly output?: undefined; readonly errorKind: 'not_json' | 'schema_mismatch'; readonly error: string }

/** Reads answers by a schema. Without one an answer is its text. */
export interface OutputReader {
  /** What the model is told of the form; the same for every item, so that it can be cached. */
  readonly told: string | null
  read(text: string): Promise<Checked>
}

const maxIssues = 10

export function readOutputBy(schema: StandardSchema | JsonObject | undefined): OutputReader {
  if (schema === undefined) return { told: null, read: text => Promise.resolve({ output: text }) }
  if (!isStandardSchema(schema)) {
    checkJsonSchema(schema)
    return { told: instruction(schema), read: text => check(text, value => Promise.resolve(byJsonSchema(schema, value))) }
  }
  return { told: instruction(described(schema)), read: text => check(text, value => byStandardSchema(schema, value)) }
}

/** Said again after an answer that could not be used. */
export function guidanceAfter({
  errorKind,
  error,
}: {
  readonly errorKind: 'not_json' | 'schema_mismatch'
  readonly error: string
}): string {
  return errorKind === 'not_json'
    ? `Your last answer was not JSON (${error}). Answer again with one JSON value and nothing else.`
    : `Your last answer did not fit the schema:\n${error}\nAnswer again with one JSON value that does, and nothing else.`
}

async function check(text: string, validated: (value: Json) => Promise<Checked>): Promise<Checked> {
  let value: Json
  try {
    value = toJson(parse(text))
  } catch (error) {
    return { errorKind: 'not_json', error: messageOf(error) }
  }
  return await validated(value)
}

/** The JSON of an answer: all of it, or what stands in its first code fence. */
function parse(text: string): unknown {
  const fenced = /```[^\n`]*\n([^]*?)\n?\s*```/.exec(text)?.[1]
  if (fenced === undefined) return JSON.parse(text)
  try {
    // A value may hold a fence in a text of its own.
    return JSON.parse(text)
  } catch {
    return JSON.parse(fenced)
  }
}

function byJsonSchema(schema: JsonObject, value: Json): Checked {
  const issues = schemaIssues(schema, value)
  return issues.length === 0
    ? { output: value }
    : { errorKind: 'schema_mismatch', error: lines(issues.map(({ path, message }) => `${path}: ${message}`)) }
}

async function byStandardSchema(schema: StandardSchema, value: Json): Promise<Checked> {
  try {
    return { output: toJson(await validate(schema, value), 'output') }
  } catch (error) {
    const told = isSkeinError(error) ? error.details['issues'] : undefined
    const issues = Array.isArray(told) ? (told as readonly { path: string; message: string }[]) : []
    const said = issues.map(({ path, message }) => `${path === '' ? '$' : path}: ${message}`)
    return { errorKind: 'schema_mismatch', error: said.length > 0 ? lines(said) : messageOf(error) }
  }
}

const lines = (all: readonly string[]): string =>
  [...all.slice(0, maxIssues), ...(all.length > maxIssues ? [`and ${all.length - maxIssues} more`] : [])].join('\n')

/** Validators may tell their JSON Schema by themselves. Source: standardschema.dev, Standard JSON Schema. */
function described(schema: StandardSchema): JsonObject | undefined {
  const { jsonSchema } = schema['~standard'] as { readonly jsonSchema?: { readonly input?: (options: unknown) => unknown } }
  try {
    const told = jsonSchema?.input?.({ target: 'draft-2020-12' })
    return isObject(told) ? (toJson(told) as JsonObject) : undefined
  } catch {
    return undefined
  }
}

const instruction = (schema: JsonObject | undefined): string =>
  schema === undefined
    ? 'Answer with one JSON value and nothing else.'
    : `Answer with one JSON value and nothing else. It must fit this JSON Schema:\n${stringify(schema)}`
