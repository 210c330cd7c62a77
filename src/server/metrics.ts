import type { StoreStats } from '#journal'

const bounds = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 30]

interface Timing {
  count: number
  seconds: number
  readonly buckets: number[]
}

/** Counts requests by route. Labels are routes, statuses and codes: never ids, tenants or text. */
export class Metrics {
  readonly #answered = new Map<string, number>()
  readonly #errors = new Map<string, number>()
  readonly #timings = new Map<string, Timing>()
  inFlight = 0

  answered(method: string, route: string, status: number, ms: number): void {
    const place = `method="${method}",route="${route}"`
    count(this.#answered, `${place},status="${status}"`)
    const timing = this.#timings.get(place) ?? { count: 0, seconds: 0, buckets: bounds.map(() => 0) }
    timing.count++
    timing.seconds += ms / 1_000
    for (const [index, bound] of bounds.entries())
      if (ms / 1_000 <= bound) timing.buckets[index] = (timing.buckets[index] ?? 0) + 1
    this.#timings.set(place, timing)
  }

  failed(code: string): void {
    count(this.#errors, `code="${code}"`)
  }

  /** Prometheus text, version 0.0.4. */
  text(store: StoreStats, streams: number): string {
    const lines = [
      ...family('skein_http_requests_total', 'counter', 'Requests answered.', [...this.#answered]),
      ...family('skein_http_errors_total', 'counter', 'Requests refused or failed, by code.', [...this.#errors]),
      '# HELP skein_http_request_seconds Time until the answer began.',
      '# TYPE skein_http_request_seconds histogram',
      ...[...this.#timings].flatMap(([place, timing]) => [
        ...bounds.map(
          (bound, index) => `skein_http_request_seconds_bucket{${place},le="${bound}"} ${timing.buckets[index] ?? 0}`,
        ),
        `skein_http_request_seconds_bucket{${place},le="+Inf"} ${timing.count}`,
        `skein_http_request_seconds_sum{${place}} ${timing.seconds}`,
        `skein_http_request_seconds_count{${place}} ${timing.count}`,
      ]),
      ...family('skein_http_requests_in_flight', 'gauge', 'Requests not answered yet.', [['', this.inFlight]]),
      ...family('skein_event_streams', 'gauge', 'Event streams that are open.', [['', streams]]),
      ...family('skein_store_commits_total', 'counter', 'Commits since the store was opened.', [['', store.commits]]),
      ...family('skein_store_transactions_total', 'counter', 'Transactions begun for commits.', [['', store.transactions]]),
      ...family('skein_store_full_transactions_total', 'counter', 'Those of them with a sync.', [['', store.fullTransactions]]),
      ...family('skein_store_round_trips_total', 'counter', 'Round trips to a database server.', [['', store.roundTrips]]),
      ...(store.bytes === null ? [] : family('skein_store_bytes', 'gauge', 'Size of the store.', [['', store.bytes]])),
    ]
    return `${lines.join('\n')}\n`
  }
}

function family(name: string, type: 'counter' | 'gauge', help: string, values: readonly (readonly [string, number])[]): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...values.map(([labels, value]) => `${name}${labels === '' ? '' : `{${labels}}`} ${value}`),
  ]
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
