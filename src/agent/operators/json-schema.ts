import { canonical, invalidInput, isObject, type Json, type JsonObject, stringify } from '#kernel'

export interface SchemaIssue {
  /** A JSON path, `$` for the whole. */
  readonly path: string
  readonly message: string
}

type Issue = SchemaIssue
type Rule = (given: Json, value: Json, at: Place) => Issue[]
interface Place {
  readonly path: string
  readonly schema: JsonObject
  readonly root: JsonObject
  readonly depth: number
}

/** A `$ref` that leads to itself, or a value nested as deep, ends here. */
const maxDepth = 256

/**
 * What a value breaks of a JSON Schema, draft 2020-12: the vocabularies of core, applicators and validation, with `$ref`
 * within the document. `format` and the other annotations are not checked, as that draft has it. Pure.
 */
export function schemaIssues(schema: Json, value: Json, root: JsonObject = isObject(schema) ? schema : {}): SchemaIssue[] {
  return issuesOf(schema, value, { path: '$', root, depth: 0 })
}

/** Refuses, with `input.invalid`, a schema that says what isn't checked here: nothing is passed over in silence. */
export function checkJsonSchema(schema: Json, path: string = 'schema'): void {
  if (typeof schema === 'boolean') return
  if (!isObject(schema)) throw invalidInput(path, 'Expected a JSON Schema or a Standard Schema.')
  for (const [name, given] of Object.entries(schema as JsonObject)) {
    const at = `${path}.${name}`
    if (unchecked.has(name)) throw invalidInput(at, 'This keyword of JSON Schema is not supported.')
    if (name === '$ref' && !(typeof given === 'string' && /^#(\/|$)/.test(given)))
      throw invalidInput(at, 'Expected a reference within the schema, such as #/$defs/name.')
    if (name === 'pattern') patternOf(given, at)
    if (name === 'patternProperties') for (const pattern of Object.keys((given ?? {}) as JsonObject)) patternOf(pattern, at)
    if (inner.has(name)) checkJsonSchema(given, at)
    if (innerLists.has(name)) {
      if (!Array.isArray(given)) throw invalidInput(at, 'Expected a list of schemas.')
      for (const [index, one] of (given as readonly Json[]).entries()) checkJsonSchema(one, `${at}[${index}]`)
    }
    if (innerMaps.has(name)) {
      if (!isObject(given)) throw invalidInput(at, 'Expected schemas by name.')
      for (const [key, one] of Object.entries(given as JsonObject)) checkJsonSchema(one, `${at}.${key}`)
    }
  }
}

const unchecked = new Set(['unevaluatedProperties', 'unevaluatedItems', '$dynamicRef', '$recursiveRef', 'dependencies'])
const inner = new Set(['additionalProperties', 'propertyNames', 'items', 'contains', 'not', 'if', 'then', 'else'])
const innerLists = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems'])
const innerMaps = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'])

function issuesOf(schema: Json, value: Json, { path, root, depth }: Omit<Place, 'schema'>): Issue[] {
  if (schema === false) return [{ path, message: 'Nothing is allowed here.' }]
  if (!isObject(schema)) return []
  if (depth > maxDepth) return [{ path, message: `Nested deeper than ${maxDepth}.` }]
  const place: Place = { path, schema: schema as JsonObject, root, depth }
  return Object.entries(place.schema).flatMap(([name, given]) =>
    Object.hasOwn(rules, name) ? (rules[name] as Rule)(given, value, place) : [],
  )
}

const within = (schema: Json | undefined, value: Json, at: Place, step = ''): Issue[] =>
  schema === undefined ? [] : issuesOf(schema, value, { path: at.path + step, root: at.root, depth: at.depth + 1 })
const fits = (schema: Json, value: Json, at: Place): boolean => within(schema, value, at).length === 0
const unless = (holds: boolean, at: Place, message: string): Issue[] => (holds ? [] : [{ path: at.path, message }])
const step = (key: string): string => (/^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`)

const ofNumber = (holds: (value: number, bound: number) => boolean, what: string): Rule => {
  return (bound, value, at) =>
    typeof value !== 'number' || typeof bound !== 'number' ? [] : unless(holds(value, bound), at, `Expected ${what} ${bound}.`)
}
const ofSize = (size: (value: Json) => number | undefined, fitting: 'min' | 'max', what: string): Rule => {
  return (bound, value, at) => {
    const count = size(value)
    if (count === undefined || typeof bound !== 'number') return []
    const holds = fitting === 'min' ? count >= bound : count <= bound
    return unless(holds, at, `Expected ${fitting === 'min' ? 'at least' : 'at most'} ${bound} ${what}, got ${count}.`)
  }
}
const length = (value: Json): number | undefined => (typeof value === 'string' ? [...value].length : undefined)
const items = (value: Json): number | undefined => (Array.isArray(value) ? value.length : undefined)
const members = (value: Json): number | undefined => (isObject(value) ? Object.keys(value).length : undefined)
const textOf = (given: Json): string => (typeof given === 'string' ? given : stringify(given))
const listOf = (given: Json): readonly Json[] => (Array.isArray(given) ? (given as readonly Json[]) : [])
const objectOf = (given: Json | undefined): JsonObject => (isObject(given) ? (given as JsonObject) : {})

function typeOf(value: Json): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value
}

const rules: Readonly<Record<string, Rule>> = {
  $ref: (ref, value, at) => within(target(at.root, textOf(ref)), value, at),
  type: (given, value, at) => {
    const found = typeOf(value)
    const allowed = Array.isArray(given) ? listOf(given) : [given]
    const holds = allowed.includes(found) || (found === 'integer' && allowed.includes('number'))
    return unless(holds, at, `Expected ${allowed.map(textOf).join(' or ')}, got ${found}.`)
  },
  enum: (given, value, at) =>
    unless(
      listOf(given).some(one => canonical(one) === canonical(value)),
      at,
      `Expected one of ${JSON.stringify(given)}.`,
    ),
  const: (given, value, at) => unless(canonical(given) === canonical(value), at, `Expected ${JSON.stringify(given)}.`),
  multipleOf: ofNumber((value, step) => isMultiple(value, step), 'a multiple of'),
  minimum: ofNumber((value, bound) => value >= bound, 'at least'),
  maximum: ofNumber((value, bound) => value <= bound, 'at most'),
  exclusiveMinimum: ofNumber((value, bound) => value > bound, 'more than'),
  exclusiveMaximum: ofNumber((value, bound) => value < bound, 'less than'),
  minLength: ofSize(length, 'min', 'characters'),
  maxLength: ofSize(length, 'max', 'characters'),
  minItems: ofSize(items, 'min', 'items'),
  maxItems: ofSize(items, 'max', 'items'),
  minProperties: ofSize(members, 'min', 'members'),
  maxProperties: ofSize(members, 'max', 'members'),
  pattern: (given, value, at) =>
    typeof value !== 'string' ? [] : unless(patternOf(given, at.path).test(value), at, `Expected a text like ${textOf(given)}.`),
  uniqueItems: (given, value, at) =>
    given !== true || !Array.isArray(value)
      ? []
      : unless(new Set((value as readonly Json[]).map(canonical)).size === value.length, at, 'Expected no item twice.'),
  required: (given, value, at) =>
    !isObject(value)
      ? []
      : listOf(given).flatMap(name =>
          Object.hasOwn(value, textOf(name)) ? [] : unless(false, at, `${textOf(name)} is missing.`),
        ),
  dependentRequired: (given, value, at) =>
    !isObject(value)
      ? []
      : Object.entries(objectOf(given)).flatMap(([name, needed]) =>
          Object.hasOwn(value, name) ? (rules['required'] as Rule)(needed, value as JsonObject, at) : [],
        ),
  dependentSchemas: (given, value, at) =>
    !isObject(value)
      ? []
      : Object.entries(objectOf(given)).flatMap(([name, schema]) =>
          Object.hasOwn(value, name) ? within(schema, value as JsonObject, at) : [],
        ),
  properties: (given, value, at) =>
    !isObject(value)
      ? []
      : Object.entries(objectOf(given)).flatMap(([name, schema]) =>
          Object.hasOwn(value, name) ? within(schema, (value as JsonObject)[name] as Json, at, step(name)) : [],
        ),
  patternProperties: (given, value, at) =>
    !isObject(value)
      ? []
      : Object.entries(objectOf(given)).flatMap(([pattern, schema]) =>
          Object.entries(value as JsonObject).flatMap(([name, member]) =>
            patternOf(pattern, at.path).test(name) ? within(schema, member, at, step(name)) : [],
          ),
        ),
  additionalProperties: (given, value, at) => {
    if (!isObject(value)) return []
    const named = objectOf(at.schema['properties'])
    const patterns = Object.keys(objectOf(at.schema['patternProperties'])).map(pattern => patternOf(pattern, at.path))
    return Object.entries(value as JsonObject).flatMap(([name, member]) =>
      Object.hasOwn(named, name) || patterns.some(pattern => pattern.test(name)) ? [] : within(given, member, at, step(name)),
    )
  },
  propertyNames: (given, value, at) =>
    !isObject(value) ? [] : Object.keys(value).flatMap(name => within(given, name, at, step(name))),
  prefixItems: (given, value, at) =>
    !Array.isArray(value)
      ? []
      : listOf(given).flatMap((schema, index) =>
          index < value.length ? within(schema, value[index] as Json, at, `[${index}]`) : [],
        ),
  items: (given, value, at) => {
    const from = listOf(at.schema['prefixItems'] ?? null).length
    return listOf(value).flatMap((item, index) => (index < from ? [] : within(given, item, at, `[${index}]`)))
  },
  contains: (given, value, at) => {
    if (!Array.isArray(value)) return []
    const { minContains: min = 1, maxContains: max = null } = at.schema
    const count = (value as readonly Json[]).filter(item => fits(given, item, at)).length
    const holds = count >= Number(min) && (max === null || count <= Number(max))
    return unless(
      holds,
      at,
      `${count} items fit; expected ${max === null ? 'at least ' : ''}${textOf(min)}${max === null ? '' : ` to ${textOf(max)}`}.`,
    )
  },
  allOf: (given, value, at) => listOf(given).flatMap(schema => within(schema, value, at)),
  anyOf: (given, value, at) => {
    const tried = listOf(given).map(schema => within(schema, value, at))
    return tried.some(issues => issues.length === 0)
      ? []
      : [...unless(false, at, 'Fits none of the choices.'), ...(tried[0] ?? [])]
  },
  oneOf: (given, value, at) => {
    const count = listOf(given).filter(schema => fits(schema, value, at)).length
    return unless(count === 1, at, `Fits ${count} of the choices; expected exactly 1.`)
  },
  not: (given, value, at) => unless(!fits(given, value, at), at, 'Fits what it must not.'),
  if: (given, value, at) => within(at.schema[fits(given, value, at) ? 'then' : 'else'], value, at),
}

/** Exact for decimal fractions such as 0.01, too. */
function isMultiple(value: number, step: number): boolean {
  const times = value / step
  return Math.abs(times - Math.round(times)) <= Number.EPSILON * Math.max(1, Math.abs(times)) * 2
}

/** What a JSON pointer names; nothing fits a target that is not there. */
function target(root: JsonObject, ref: string): Json {
  const steps = decodeURIComponent(ref.slice(1)).split('/').slice(1)
  let at: Json | undefined = root
  for (const raw of steps) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~')
    at = typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as JsonObject)[key] : undefined
  }
  return at ?? false
}

function patternOf(given: Json, path: string): RegExp {
  try {
    return new RegExp(textOf(given), 'u')
  } catch {
    throw invalidInput(path, `Not a regular expression: ${textOf(given)}`)
  }
}
