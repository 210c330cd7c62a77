/** `application_id` of every Skein file: "SKEI" in ASCII. */
export const applicationId = 0x534b4549

/** Pages of a new file, in bytes: messages are a few thousand bytes long, and what is left of a page is lost. */
export const pageBytes = 4_096

/** An entry's id gets its row in `entry_place` when the session has so many more entries, so that an append need not. */
export const placedEvery = 64

/** `user_version` of files that this release writes. */
export const formatVersion = 1

/**
 * Tables of format 1. Tenants and sessions have integer surrogates inside the file, so each key still begins with its
 * tenant. Ids stand without their prefix. Times are epoch milliseconds. Source: docs/format.md, spec/foundation.md 4.2.
 */
export const schema = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;

CREATE TABLE tenant (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, served INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE session (
  id INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL,
  uid TEXT NOT NULL,
  alias TEXT,
  state TEXT NOT NULL,
  hidden INTEGER NOT NULL,
  title TEXT, preview TEXT, user TEXT, agent TEXT NOT NULL, platform TEXT, cwd TEXT, parent TEXT, model TEXT,
  tags TEXT NOT NULL,
  createdAt INTEGER NOT NULL,
  updatedAt INTEGER NOT NULL,
  updatedHour INTEGER NOT NULL,
  lastMessageAt INTEGER,
  lastAccessedAt INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  leaf TEXT,
  messages INTEGER NOT NULL, turns INTEGER NOT NULL, tokens INTEGER NOT NULL,
  turnCount INTEGER NOT NULL, requests INTEGER NOT NULL, unknownRequests INTEGER NOT NULL, costNano INTEGER NOT NULL,
  inputTokens INTEGER NOT NULL, cacheReadTokens INTEGER NOT NULL, cacheWrite5mTokens INTEGER NOT NULL,
  cacheWrite1hTokens INTEGER NOT NULL, outputTokens INTEGER NOT NULL, reasoningTokens INTEGER NOT NULL,
  leaseOwner TEXT, leaseToken INTEGER NOT NULL, leaseUntil INTEGER NOT NULL,
  data TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX session_uid ON session (tenant, uid);
CREATE UNIQUE INDEX session_alias ON session (tenant, alias) WHERE alias IS NOT NULL;
CREATE INDEX session_updated ON session (tenant, updatedHour);
CREATE INDEX session_created ON session (tenant, createdAt, uid);
CREATE INDEX session_parent ON session (tenant, parent) WHERE parent IS NOT NULL;

CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  session INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  uid TEXT NOT NULL,
  parent TEXT, -- '' is the entry right before
  type TEXT NOT NULL,
  at INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX entry_seq ON entry (session, seq);
-- Where an entry stands, by its id: of each session's entries the first 64, 128, …; the few behind are found by reading them.
CREATE TABLE entry_place (session INTEGER NOT NULL, uid TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (session, uid)) STRICT, WITHOUT ROWID;

-- The session whose entries named it first refers to it by its key here, others by a blob_ref.
CREATE TABLE blob (
  id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, session INTEGER NOT NULL, uid TEXT NOT NULL, hash TEXT NOT NULL, bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX blob_uid ON blob (tenant, uid);
CREATE TABLE blob_ref (session INTEGER NOT NULL, blob TEXT NOT NULL, PRIMARY KEY (session, blob)) STRICT, WITHOUT ROWID;
CREATE INDEX blob_ref_blob ON blob_ref (blob);

CREATE TABLE view (
  session INTEGER NOT NULL, name TEXT NOT NULL, format INTEGER NOT NULL, seq INTEGER NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY (session, name)
) STRICT;
CREATE TABLE watermark (
  session INTEGER NOT NULL, reader TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (session, reader)
) STRICT, WITHOUT ROWID;
CREATE TABLE archive (
  tenant INTEGER NOT NULL, id TEXT NOT NULL, session INTEGER NOT NULL, fromSeq INTEGER NOT NULL, toSeq INTEGER NOT NULL,
  children TEXT NOT NULL, data TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX archive_range ON archive (session, fromSeq);

CREATE TABLE record (
  tenant INTEGER NOT NULL, collection TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  tag1 TEXT, tag2 TEXT, tag3 TEXT, sort REAL NOT NULL, expiresAt INTEGER, version INTEGER NOT NULL,
  PRIMARY KEY (tenant, collection, key)
) STRICT;
CREATE INDEX record_sort ON record (tenant, collection, sort, key);
CREATE INDEX record_tag1 ON record (tenant, collection, tag1) WHERE tag1 IS NOT NULL;
CREATE INDEX record_tag2 ON record (tenant, collection, tag2) WHERE tag2 IS NOT NULL;
CREATE INDEX record_tag3 ON record (tenant, collection, tag3) WHERE tag3 IS NOT NULL;
CREATE INDEX record_expiry ON record (tenant, expiresAt) WHERE expiresAt IS NOT NULL;

CREATE TABLE memory (
  tenant INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, owner TEXT NOT NULL, text TEXT NOT NULL,
  evidence TEXT NOT NULL, data TEXT NOT NULL, embedding BLOB, PRIMARY KEY (tenant, id, version)
) STRICT;
CREATE INDEX memory_owner ON memory (tenant, owner, id);

CREATE TABLE job (
  id INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL, uid TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, uniqueKey TEXT, session TEXT,
  state TEXT NOT NULL, payload TEXT NOT NULL, schema INTEGER NOT NULL,
  attempts INTEGER NOT NULL, maxAttempts INTEGER NOT NULL, parkedBlocks INTEGER NOT NULL,
  runAfter INTEGER NOT NULL, leaseUntil INTEGER NOT NULL, owner TEXT, fence INTEGER NOT NULL, traceId TEXT,
  result TEXT NOT NULL, lastError TEXT NOT NULL,
  createdAt INTEGER NOT NULL, startedAt INTEGER, endedAt INTEGER
) STRICT;
CREATE UNIQUE INDEX job_uid ON job (tenant, uid);
CREATE INDEX job_due ON job (tenant, state, runAfter) WHERE state IN ('queued', 'running');
CREATE INDEX job_key ON job (tenant, kind, key, id) WHERE state IN ('queued', 'running', 'parked');
CREATE INDEX job_unique ON job (tenant, kind, uniqueKey) WHERE state = 'queued' AND uniqueKey IS NOT NULL;
CREATE INDEX job_session ON job (tenant, session) WHERE session IS NOT NULL;

CREATE TABLE answer (
  tenant INTEGER NOT NULL, key TEXT NOT NULL, digest TEXT, at INTEGER NOT NULL, committed TEXT NOT NULL,
  PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
`
