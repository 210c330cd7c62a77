import type {
  Delivery,
  Explanation,
  GatewayFinding,
  InboxFilter,
  InboxRow,
  NewSchedule,
  OutboxFilter,
  OutboxRow,
  Pairing,
  Route,
  RouteFilter,
  Schedule,
  SourceInput,
} from '#gateway'
import { given, SkeinError } from '#kernel'
import type { Page } from '#journal'
import type { Skein } from '#skein'
import { answer, type Server } from './http.ts'

/** What `skein gateway` stands on: each verb gives what HTTP answers. */
export interface GatewayVerbs {
  routes(filter: RouteFilter): Promise<Page<Route>>
  route(key: string): Promise<Route>
  explain(source: SourceInput): Promise<Explanation>
  prompt(source: SourceInput): Promise<{ readonly prompt: string }>
  reset(key: string, title?: string): Promise<Route>
  switch(key: string, sessionId: string, take: boolean): Promise<Route>
  suspend(key: string, reason?: string): Promise<{ readonly changed: boolean }>
  pause(key: string, reason?: string): Promise<{ readonly changed: boolean }>
  unpause(key: string): Promise<{ readonly changed: boolean }>
  prune(maxAgeDays: number, dryRun: boolean): Promise<{ readonly pruned: number }>
  inbox(filter: InboxFilter): Promise<Page<InboxRow>>
  outbox(filter: OutboxFilter): Promise<Page<OutboxRow>>
  retry(id: string): Promise<OutboxRow>
  pairings(): Promise<{ readonly items: readonly Pairing[] }>
  approve(code: string): Promise<Pairing>
  deliver(target: string, message: string): Promise<Delivery>
  schedules(): Promise<Page<Schedule>>
  schedule(asked: NewSchedule): Promise<Schedule>
  unschedule(id: string): Promise<{ readonly removed: boolean }>
  turn(id: string, on: boolean): Promise<Schedule>
  check(): Promise<{ readonly items: readonly GatewayFinding[] }>
}

export function localGateway({ gateway }: Skein): GatewayVerbs {
  const unknown = (key: string): SkeinError =>
    new SkeinError('route.not_found', `There is no route ${key}.`, { details: { key } })
  const known = (key: string, found: Route | null): Route => {
    if (found !== null) return found
    throw unknown(key)
  }
  const changed = (key: string, isKnown: boolean): { changed: true } => {
    if (isKnown) return { changed: true }
    throw unknown(key)
  }
  return {
    routes: filter => gateway.list(filter),
    route: async key => known(key, await gateway.get(key)),
    explain: source => gateway.explain(source),
    prompt: async source => ({ prompt: await gateway.prompt(source) }),
    reset: async (key, title) => known(key, await gateway.reset(key, given({ title }))),
    switch: async (key, sessionId, take) => known(key, await gateway.switch(key, sessionId, { take })),
    suspend: async (key, reason) => changed(key, await gateway.suspend(key, reason)),
    pause: async (key, reason) => changed(key, await gateway.pause(key, reason)),
    unpause: async key => ({ changed: await gateway.unpause(key) }),
    prune: async (maxAgeDays, dryRun) => ({ pruned: await gateway.prune(maxAgeDays, { dryRun }) }),
    inbox: filter => gateway.inbox.list(filter),
    outbox: filter => gateway.outbox.list(filter),
    retry: id => gateway.outbox.retry(id),
    pairings: async () => ({ items: await gateway.pairings.list() }),
    approve: code => gateway.pairings.approve(code),
    deliver: (target, message) => gateway.deliver(target, message),
    schedules: () => gateway.schedules.list({ limit: 200 }),
    schedule: asked => gateway.schedules.add(asked),
    unschedule: async id => ({ removed: await gateway.schedules.remove(id) }),
    turn: (id, on) => (on ? gateway.schedules.enable(id) : gateway.schedules.disable(id)),
    check: async () => ({ items: await gateway.check() }),
  }
}

export function remoteGateway(server: Server): GatewayVerbs {
  const get = <T>(path: string, query: object = {}): Promise<T> => answer(server, `v1/gateway/${path}`, { query: { ...query } })
  const post = <T>(path: string, body: object): Promise<T> => answer(server, `v1/gateway/${path}`, { method: 'POST', body })
  const at = (key: string, verb = ''): string => `routes/${encodeURIComponent(key)}${verb}`
  const of = (id: string): string => `schedules/${encodeURIComponent(id)}`
  return {
    routes: filter => get('routes', filter),
    route: key => get(at(key)),
    explain: source => post('explain', { source }),
    prompt: source => post('prompt', { source }),
    reset: (key, title) => post(at(key, '/reset'), given({ title })),
    switch: (key, sessionId, take) => post(at(key, '/switch'), { sessionId, take }),
    suspend: (key, reason) => post(at(key, '/suspend'), given({ reason })),
    pause: (key, reason) => post(at(key, '/pause'), given({ reason })),
    unpause: key => post(at(key, '/unpause'), {}),
    prune: (maxAgeDays, dryRun) => post('prune', { maxAgeDays, dryRun }),
    inbox: filter => get('inbox', filter),
    outbox: filter => get('outbox', filter),
    retry: id => post(`outbox/${encodeURIComponent(id)}/retry`, {}),
    pairings: () => get('pairings'),
    approve: code => post(`pairings/${encodeURIComponent(code)}/approve`, {}),
    deliver: (target, message) => post('deliver', { target, message }),
    schedules: () => get('schedules', { limit: 200 }),
    schedule: asked => post('schedules', asked),
    unschedule: id => answer(server, `v1/gateway/${of(id)}`, { method: 'DELETE' }),
    turn: (id, on) => post(`${of(id)}/${on ? 'enable' : 'disable'}`, {}),
    check: () => get('check'),
  }
}
