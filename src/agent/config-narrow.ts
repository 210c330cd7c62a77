import type { ConfigValue } from './config-keys.ts'
import { isWithin, readAutonomy } from './policy/autonomy.ts'
import { isWithinMode, readMode } from './policy/mode.ts'

/** No tool has this name, so a list that allows it alone allows none. */
const noTool = '(none)'

type Below = (path: string) => ConfigValue | undefined

/**
 * What a setting comes to that may only narrow what the layers below it allow: settings by path, or `undefined` where it would
 * allow more. What says nothing of what an agent may do is taken as it is. Source: spec/agent.md 1, law A2.
 */
export function narrowed(path: string, value: ConfigValue, below: Below): { readonly [path: string]: ConfigValue } | undefined {
  const base = below(path)
  const keepIf = (holds: boolean): { readonly [path: string]: ConfigValue } | undefined => (holds ? { [path]: value } : undefined)
  switch (path) {
    case 'autonomy':
      return keepIf(isWithin(readAutonomy(value), readAutonomy(base ?? 'safe')))
    case 'mode':
      return keepIf(isWithinMode(readMode(value), readMode(base ?? 'full')))
    case 'noTools':
      return keepIf(value === true || base !== true)
    case 'allowance.allowUnpriced':
      return keepIf(value === false || base === true)
    case 'allowance.nano':
    case 'allowance.tokens':
    case 'allowance.wallMs':
      return { [path]: base === undefined ? value : Math.min(Number(value), Number(base)) }
    case 'policy.denyTools':
    case 'policy.denyWrites':
      return { [path]: [...new Set([...listOf(base), ...listOf(value)])] }
    case 'policy.allowTools':
      return { [path]: bothNames(listOf(base), listOf(value)) }
    case 'policy.allowWrites': {
      const allowed = listOf(base)
      return keepIf(allowed.length === 0 || (listOf(value).length > 0 && listOf(value).every(glob => isBelow(glob, allowed))))
    }
    case 'policy.grants':
      return undefined
    default:
      return { [path]: value }
  }
}

const listOf = (value: ConfigValue | undefined): readonly string[] => (Array.isArray(value) ? (value as readonly string[]) : [])

/** An empty list allows all. */
function bothNames(base: readonly string[], more: readonly string[]): readonly string[] {
  if (base.length === 0 || more.length === 0) return base.length === 0 ? more : base
  const plain = (name: string): string => name.trim().toLowerCase()
  const known = new Set(base.map(plain))
  const both = more.filter(name => known.has(plain(name)))
  return both.length === 0 ? [noTool] : both
}

/** Whether all that a glob matches is surely matched by one of the others: an equal one, or `folder/**` above it. */
function isBelow(glob: string, others: readonly string[]): boolean {
  return others.some(other => {
    if (other === glob || other === '**') return true
    const folder = other.endsWith('/**') ? other.slice(0, -2) : undefined
    return folder !== undefined && !/[*?[{!]/.test(folder) && glob.startsWith(folder) && !glob.split('/').includes('..')
  })
}
