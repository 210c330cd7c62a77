import { isObject } from '#kernel'
import { shortLine } from './outline-lines.ts'

const mostLines = 80
const mostKeys = 40
const deepest = 6

interface Place {
  readonly path: string
  readonly value: unknown
  readonly depth: number
}

/** Keys with their types and the lengths of arrays, from the outside in; of an array the first item. Throws if it is no JSON. */
export function outlineJson(text: string): string[] {
  return outlineValue(JSON.parse(text))
}

/** The same of what such a text says. */
export function outlineValue(root: unknown): string[] {
  const lines = [`JSON, ${kindOf(root)}`]
  const places: Place[] = [{ path: '', value: root, depth: 0 }]
  for (let at = 0; at < places.length && lines.length < mostLines; at++) {
    for (const inner of membersOf(places[at] as Place)) {
      if (typeof inner === 'string') lines.push(inner)
      else {
        lines.push(`${inner.path}: ${kindOf(inner.value)}`)
        if (inner.depth < deepest) places.push(inner)
      }
    }
  }
  return lines
}

function membersOf({ path, value, depth }: Place): (Place | string)[] {
  if (Array.isArray(value)) {
    const [first] = value as readonly unknown[]
    return typeof first === 'object' && first !== null ? [{ path: `${path}[0]`, value: first, depth: depth + 1 }] : []
  }
  if (!isObject(value)) return []
  const keys = Object.keys(value)
  const shown = keys.slice(0, mostKeys).map((key): Place => {
    const name = shortLine(key, 40)
    return { path: path === '' ? name : `${path}.${name}`, value: value[key], depth: depth + 1 }
  })
  return keys.length > mostKeys ? [...shown, `${path === '' ? '' : `${path}: `}… ${keys.length - mostKeys} more keys`] : shown
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) {
    const kinds = new Set(value.slice(0, 100).map(item => (Array.isArray(item) ? 'array' : item === null ? 'null' : typeof item)))
    return `array of ${value.length}${kinds.size === 0 ? '' : ` (${[...kinds].join(', ')})`}`
  }
  if (typeof value === 'object') return `object, ${Object.keys(value).length} keys`
  return typeof value
}
