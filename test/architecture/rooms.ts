/** The rooms of `src/` in reading order, and what each may reach. A room that is not here does not exist. */
export interface Room {
  /** Rooms that its files may import, by `#name`. */
  readonly leansOn: readonly string[]
  /** Rooms of which it may import types alone. */
  readonly typesOf?: readonly string[]
  /** Packages and `node:` modules that it may import; `node:*` is all of Node. */
  readonly reaches?: readonly string[]
}

const core = ['kernel', 'journal', 'jobs', 'context', 'session', 'models', 'agent', 'memory', 'gateway']
const above = (room: string): string[] => core.slice(0, core.indexOf(room))
const stores = ['stores/sqlite', 'stores/postgres']

export const rooms: Readonly<Record<string, Room>> = {
  kernel: { leansOn: [], reaches: ['node:crypto'] },
  journal: { leansOn: above('journal') },
  jobs: { leansOn: above('jobs') },
  context: { leansOn: above('context') },
  session: { leansOn: above('session') },
  models: { leansOn: above('models') },
  agent: { leansOn: above('agent') },
  memory: { leansOn: above('memory') },
  gateway: { leansOn: above('gateway') },
  'stores/sqlite': { leansOn: core, reaches: ['node:*'] },
  'stores/postgres': { leansOn: core, reaches: ['node:*'] },
  server: {
    leansOn: [...core, ...stores],
    typesOf: ['skein'],
    reaches: ['node:*', 'hono', '@hono/node-server', '@hono/zod-openapi', 'zod'],
  },
  cli: { leansOn: [...core, ...stores, 'server', 'skein'], reaches: ['node:*', 'commander', 'smol-toml', 'zod'] },
  house: { leansOn: [...core, ...stores] },
  skein: { leansOn: [...core, 'house'] },
  index: { leansOn: [...core, ...stores, 'server', 'skein'] },
  testing: { leansOn: [...core, ...stores, 'server', 'skein'] },
}

/** Rooms that are one file of `src/` and not a folder. */
export const singleFiles: readonly string[] = ['skein', 'index', 'testing']

/** Files of the core that may touch Node, with what they touch. */
export const edgeFiles: Readonly<Record<string, readonly string[]>> = {
  'agent/config-files.ts': ['node:fs', 'node:path'],
  'agent/written-files.ts': ['node:path'],
  'gateway/chat-sdk-adapter.ts': ['node:async_hooks'],
  'gateway/hermes-folder.ts': ['node:fs/promises', 'node:os', 'node:path', 'node:sqlite'],
  'gateway/adapter.contract.ts': ['node:assert/strict'],
  'gateway/cron.ts': ['croner', 'node:module'],
  'gateway/output-file.ts': ['node:fs/promises', 'node:os', 'node:path'],
  'gateway/zones.ts': ['node:module', 'temporal-polyfill'],
  'journal/contract/setting.ts': ['node:assert/strict'],
  'agent/extensions-file.ts': ['node:fs/promises', 'node:path', 'node:url'],
  'agent/guardrail-checks.ts': ['node:fs', 'node:path'],
  'agent/tools/file-tools.ts': ['node:process'],
  'agent/tools/grep-tool.ts': ['node:fs/promises'],
  'agent/tools/list-tool.ts': ['node:fs/promises'],
  'agent/tools/place.ts': ['node:crypto', 'node:fs', 'node:fs/promises', 'node:os', 'node:path'],
  'agent/tools/read-tool.ts': ['node:readline', 'node:stream'],
  'agent/tools/regex-search.ts': ['node:worker_threads'],
  'agent/tools/regex-thread.ts': ['node:worker_threads'],
  'agent/tools/shell.ts': ['node:child_process', 'node:fs', 'node:process', 'node:timers/promises'],
  'agent/tools/walk.ts': ['node:fs', 'node:fs/promises', 'node:path'],
  'memory/import-og-folder.ts': ['node:fs/promises', 'node:path'],
  'models/credential-file.ts': ['node:fs/promises', 'node:path', 'node:timers/promises'],
  'models/file-lock.ts': ['node:fs/promises'],
  'agent/policy/real-place.ts': ['node:fs/promises', 'node:path'],
  'agent/prompt/prefill-files.ts': ['node:fs/promises', 'node:path'],
  'agent/prompt/prompt-files.ts': ['node:fs', 'node:fs/promises', 'node:path', 'node:process'],
}

/** Every `import()`: what a file, or a whole folder (`cli/`), loads when first needed. */
export const loadedLater: Readonly<Record<string, readonly string[]>> = {
  // Modules of users, and a package whose types need not be there.
  'agent/extensions-file.ts': ['?'],
  'agent/telemetry-api.ts': ['?'],
  'cli/': ['#skein', '#server', '#stores/sqlite'],
  'context/counters.ts': ['gpt-tokenizer/encoding/o200k_base'],
  'gateway/chat-sdk/open-platform.ts': [
    '@chat-adapter/discord',
    '@chat-adapter/slack',
    '@chat-adapter/telegram',
    '@chat-adapter/whatsapp',
  ],
  'models/connectors.ts': ['@ai-sdk/anthropic', '@ai-sdk/google', '@ai-sdk/openai', '@ai-sdk/openai-compatible'],
  'stores/postgres/driver.ts': ['pg'],
  'house/open-house.ts': ['#stores/sqlite', 'smol-toml'],
  'house/open-store.ts': ['#stores/sqlite', '#stores/postgres'],
}
