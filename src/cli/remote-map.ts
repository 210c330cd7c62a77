import type { MapInfo, MapPage } from '#agent'
import { given, type Json } from '#kernel'
import { answer, type Server } from './http.ts'
import type { GoingMap, MapAsked } from './verbs.ts'

const pollMs = 500

/** Starts a map on a server, which goes on with it by itself; its results are asked for until it has ended. */
export async function remoteMap(server: Server, { kind, resume, inputs, options, signal }: MapAsked): Promise<GoingMap> {
  const list: Json[] = []
  for await (const input of inputs ?? []) list.push(input)
  const body = { ...options, ...given({ inputs: inputs === undefined ? undefined : list }) }
  const { map } =
    resume === undefined
      ? await answer<MapInfo>(server, 'v1/maps', { method: 'POST', body: { kind, ...body } })
      : await answer<MapInfo>(server, `v1/maps/${encodeURIComponent(resume)}/resume`, { method: 'POST', body })
  const path = `v1/maps/${map}`
  return {
    map,
    info: () => answer<MapInfo>(server, path),
    async *results() {
      for (let after = 0; !signal.aborted;) {
        const { items, next, state } = await answer<MapPage>(server, `${path}/results`, { query: { after } })
        yield* items
        if (next === undefined || (items.length === 0 && state === 'stopped')) return
        after = next
        if (items.length === 0) await new Promise(resolve => setTimeout(resolve, pollMs))
      }
    },
  }
}
