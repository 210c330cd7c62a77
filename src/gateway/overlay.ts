import type { Change, RecordRow, RouteRow } from '#journal'
import type { Reads } from './find-route.ts'

/** The store as it would read after these changes of routes and records. Nothing is written. */
export function overlay(store: Reads, changes: readonly Change[]): Reads {
  const routes = new Map<string, RouteRow | undefined>()
  const records = new Map<string, RecordRow | undefined>()
  for (const change of changes) {
    switch (change.type) {
      case 'put_route': {
        const { key, value, tags = [], sort = 0, expectVersion } = change
        routes.set(key, { key, value, tags, sort, version: expectVersion + 1 })
        break
      }
      case 'delete_route':
        routes.set(change.key, undefined)
        break
      case 'put_record': {
        const { collection, key, value, tags = [], sort = 0, expiresAt = null, expectVersion = 0 } = change
        records.set(`${collection} ${key}`, { collection, key, value, tags, sort, expiresAt, version: expectVersion + 1 })
        break
      }
      case 'delete_record':
        records.set(`${change.collection} ${change.key}`, undefined)
        break
      default:
        break
    }
  }
  return {
    route: async key => (routes.has(key) ? routes.get(key) : await store.route(key)),
    record: async (collection, key) => {
      const name = `${collection} ${key}`
      return records.has(name) ? records.get(name) : await store.record(collection, key)
    },
    session: async ref => await store.session(ref),
    jobs: async filter => await store.jobs(filter),
    entries: async (session, query) => await store.entries(session, query),
  }
}
