import type { ContextHook } from '#context'
import { isObject } from '#kernel'
import { isType, type SessionRow } from '#journal'
import type { Front } from './desk.ts'
import { routeAt } from './find-route.ts'
import { holdOf, type KeptRoute } from './route.ts'
import { routePrompt } from './source-context.ts'

/** The route on which a session is current, by its row. */
async function routeOf({ store }: Front, row: SessionRow): Promise<KeptRoute | undefined> {
  const bound = row.data['route']
  if (!isObject(bound) || typeof bound['key'] !== 'string') return undefined
  const found = await routeAt(store, bound['key'])
  return found?.route.sessionId === row.id ? found.route : undefined
}

const concerns = (row: SessionRow): boolean => isObject(row.data['route'])

/** What the gateway says in the contexts of sessions that are current on a route. */
export function gatewayHooks(frontOf: (tenant: string) => Front): ContextHook[] {
  return [
    {
      name: 'gateway.prompt',
      place: 'head',
      concerns,
      render: async ({ tenant, row }) => {
        const front = frontOf(tenant)
        const route = await routeOf(front, row)
        return route === undefined ? null : await routePrompt(front, route, row)
      },
    },
    { name: 'gateway.fresh', place: 'turn', concerns, render: ({ tenant, row }) => freshNote(frontOf(tenant), row) },
    { name: 'gateway.resume', place: 'turn', concerns, render: ({ tenant, row }) => resumeNote(frontOf(tenant), row) },
  ]
}

/** Beside the first turn of a session that began by itself: the same text as long as the session lives. Law G34. */
async function freshNote({ store }: Front, row: SessionRow): Promise<string | null> {
  if (!isObject(row.data['route'])) return null
  const [bound] = await store.entries(row.id, { types: ['route_bound'], limit: 1 })
  if (bound === undefined || !isType(bound, 'route_bound') || bound.seq > 3) return null
  const { previous, reason } = bound.data
  if (previous === undefined || reason === undefined || !automatic.includes(reason)) return null
  return `[System note: new session; the previous one, ${previous}, ended: ${reason}.]`
}

const automatic: readonly string[] = ['idle', 'daily', 'all', 'suspended', 'missing']

const causes: Readonly<Record<string, string>> = { restart_timeout: 'a gateway restart', shutdown_timeout: 'a gateway shutdown' }

/** Beside the turn after one that was cut short, while its mark stands and is young enough. Law G41. */
async function resumeNote(front: Front, row: SessionRow): Promise<string | null> {
  const route = await routeOf(front, row)
  const hold = route === undefined ? undefined : holdOf(route, 'resume_pending')
  const { resumeWindowMinutes } = front.desk.settings
  const isOld = resumeWindowMinutes > 0 && hold !== undefined && front.desk.now - hold.at > resumeWindowMinutes * 60_000
  if (hold === undefined || isOld) return null
  const cause = (Object.hasOwn(causes, hold.reason) && causes[hold.reason]) || 'a gateway interruption'
  return `[System note: the last turn was cut short by ${cause}. Deal with the newest message first; do not repeat tool calls of that turn, their effects may have happened.]`
}
