import { counters } from '#journal'

/** Grows with every change of the tables; a node refuses to open a schema newer than it knows. */
export const format = 1

/** What `meta` says of a schema that is ours. */
export const application = 'skein'

/** Counters in the order of `counters`, as columns. */
export const counterColumns: readonly string[] = counters.map(counter =>
  counter.replace(/[A-Z]|\d+m|\d+h/g, part => `_${part.toLowerCase()}`),
)

/** Widths of time, in milliseconds, by which sessions are indexed: a finer index would be rewritten by every append. */
const touchMs = 600_000

/**
 * The tables of format 1. Every primary key starts with the tenant, those of a session's rows with tenant and session;
 * nothing refers across tenants. JSON stands as text: `jsonb` holds neither U+0000 nor lone surrogates. Law J38.
 */
export const tables: readonly string[] = [
  `CREATE TABLE skein.tenants (
    tenant text COLLATE "C" PRIMARY KEY,
    jobs boolean NOT NULL DEFAULT false
  )`,
  `CREATE TABLE skein.sessions (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    alias text COLLATE "C",
    seq bigint NOT NULL,
    leaf_id text COLLATE "C",
    messages bigint NOT NULL,
    turns bigint NOT NULL,
    tokens bigint NOT NULL,
    ${counterColumns.map(column => `${column} bigint NOT NULL`).join(',\n    ')},
    lease_owner text COLLATE "C",
    lease_token bigint NOT NULL,
    lease_until bigint NOT NULL,
    updated_at bigint NOT NULL,
    touched bigint GENERATED ALWAYS AS (updated_at / ${touchMs}) STORED,
    last_message_at bigint,
    last_accessed_at bigint NOT NULL,
    created_at bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    hidden boolean NOT NULL,
    indexed_seq bigint NOT NULL DEFAULT 0,
    unindexed boolean NOT NULL DEFAULT true,
    erasures bigint NOT NULL DEFAULT 0,
    title text COLLATE "C",
    preview text COLLATE "C",
    user_id text COLLATE "C",
    agent text COLLATE "C" NOT NULL,
    platform text COLLATE "C",
    cwd text COLLATE "C",
    parent text COLLATE "C",
    model text COLLATE "C",
    tags text[] COLLATE "C" NOT NULL,
    data text NOT NULL,
    PRIMARY KEY (tenant, id)
  ) WITH (fillfactor = 70)`,
  `CREATE UNIQUE INDEX sessions_alias ON skein.sessions (tenant, alias) WHERE alias IS NOT NULL`,
  `CREATE INDEX sessions_touched ON skein.sessions (tenant, touched)`,
  `CREATE INDEX sessions_parent ON skein.sessions (tenant, parent) WHERE parent IS NOT NULL`,
  `CREATE INDEX sessions_unindexed ON skein.sessions (tenant, id) WHERE unindexed`,
  `CREATE TABLE skein.entries (
    tenant text COLLATE "C" NOT NULL,
    session text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    parent_id text COLLATE "C",
    type text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (tenant, session, seq)
  )`,
  `CREATE UNIQUE INDEX entries_id ON skein.entries (tenant, session, id)`,
  `CREATE TABLE skein.blobs (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    hash text COLLATE "C" NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (tenant, id)
  )`,
  `CREATE TABLE skein.blob_refs (
    tenant text COLLATE "C" NOT NULL,
    session text COLLATE "C" NOT NULL,
    blob text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, session, blob)
  )`,
  `CREATE INDEX blob_refs_blob ON skein.blob_refs (tenant, blob)`,
  `CREATE TABLE skein.views (
    tenant text COLLATE "C" NOT NULL,
    session text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    format bigint NOT NULL,
    seq bigint NOT NULL,
    data text NOT NULL,
    PRIMARY KEY (tenant, session, name)
  )`,
  `CREATE TABLE skein.watermarks (
    tenant text COLLATE "C" NOT NULL,
    session text COLLATE "C" NOT NULL,
    reader text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (tenant, session, reader)
  )`,
  `CREATE TABLE skein.archives (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    session text COLLATE "C" NOT NULL,
    from_seq bigint NOT NULL,
    to_seq bigint NOT NULL,
    children text[] COLLATE "C" NOT NULL,
    data text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (tenant, id)
  )`,
  `CREATE INDEX archives_session ON skein.archives (tenant, session, from_seq)`,
  `CREATE TABLE skein.records (
    tenant text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text NOT NULL,
    tags text[] COLLATE "C" NOT NULL,
    sort double precision NOT NULL,
    expires_at bigint,
    version bigint NOT NULL,
    PRIMARY KEY (tenant, collection, key)
  )`,
  `CREATE INDEX records_sort ON skein.records (tenant, collection, sort, key)`,
  `CREATE INDEX records_tags ON skein.records USING gin (tags)`,
  `CREATE TABLE skein.memories (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    owner text COLLATE "C" NOT NULL,
    text text NOT NULL,
    evidence text NOT NULL,
    data text NOT NULL,
    embedding double precision[],
    PRIMARY KEY (tenant, id, version)
  )`,
  `CREATE TABLE skein.jobs (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    unique_key text COLLATE "C",
    session text COLLATE "C",
    state text COLLATE "C" NOT NULL,
    payload text NOT NULL,
    schema bigint NOT NULL,
    attempts bigint NOT NULL,
    max_attempts bigint NOT NULL,
    parked_blocks boolean NOT NULL,
    run_after bigint NOT NULL,
    lease_until bigint NOT NULL,
    owner text COLLATE "C",
    fence bigint NOT NULL,
    trace_id text COLLATE "C",
    result text NOT NULL,
    last_error text NOT NULL,
    created_at bigint NOT NULL,
    started_at bigint,
    ended_at bigint,
    PRIMARY KEY (tenant, id)
  )`,
  `CREATE INDEX jobs_open ON skein.jobs (tenant, kind, key, position) WHERE state IN ('queued', 'running', 'parked')`,
  `CREATE INDEX jobs_unique ON skein.jobs (tenant, kind, unique_key) WHERE state = 'queued' AND unique_key IS NOT NULL`,
  `CREATE INDEX jobs_session ON skein.jobs (tenant, session) WHERE session IS NOT NULL`,
  // A row per line of jobs (kind and key) or unique key: locked by whoever enqueues, so places are given in order.
  `CREATE TABLE skein.job_lines (
    tenant text COLLATE "C" NOT NULL,
    line text COLLATE "C" NOT NULL,
    last bigint NOT NULL,
    PRIMARY KEY (tenant, line)
  )`,
  `CREATE TABLE skein.keys (
    tenant text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    digest text COLLATE "C",
    at bigint NOT NULL,
    until bigint NOT NULL,
    durability text COLLATE "C" NOT NULL,
    memo text,
    answer text NOT NULL,
    head bigint[],
    leaf text COLLATE "C",
    PRIMARY KEY (tenant, key)
  )`,
  `CREATE TABLE skein.search (
    tenant text COLLATE "C" NOT NULL,
    session text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    role text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    words tsvector,
    PRIMARY KEY (tenant, session, seq)
  )`,
  `CREATE INDEX search_words ON skein.search USING gin (words)`,
  `CREATE INDEX search_unsplit ON skein.search (tenant, session) WHERE words IS NULL`,
]
