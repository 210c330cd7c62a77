import { z } from '@hono/zod-openapi'
import { contextItem } from './context-schemas.ts'
import {
  count,
  durability,
  entry,
  entryId,
  jsonObject,
  runId,
  sessionId,
  sessionMessage,
  time,
  toolDescription,
  turnId,
  usage,
} from './entry-schemas.ts'

const sum = z.number().min(0)
const totals = {
  requests: count,
  usage: z.object({
    inputTokens: sum,
    cacheReadTokens: sum,
    cacheWrite5mTokens: sum,
    cacheWrite1hTokens: sum,
    outputTokens: sum,
    reasoningTokens: sum,
  }),
  cost: z.object({ nano: z.number().nullable(), complete: z.boolean(), unknownRequests: count }),
}

export const usageTotals: z.ZodType = z.object(totals).openapi('UsageTotals')

export const usageReport: z.ZodType = z
  .object({
    ...totals,
    by: z.array(z.object({ key: z.string(), ...totals })).optional(),
    tools: z.array(z.object({ tool: z.string(), calls: count, errors: count, ms: sum })).optional(),
    demo: z.literal(true).optional(),
  })
  .openapi('UsageReport')

export const sessionInfo: z.ZodType = z
  .object({
    id: sessionId,
    alias: z.string().nullable(),
    tenant: z.string(),
    title: z.string().nullable(),
    preview: z.string().nullable(),
    state: z.enum(['active', 'ended', 'deleted']),
    createdAt: time,
    updatedAt: time,
    lastMessageAt: time.nullable(),
    lastAccessedAt: time,
    seq: count,
    leafId: entryId.nullable(),
    messages: count,
    turns: count,
    liveTokens: count,
    liveMessages: count.optional(),
    liveTurns: count.optional(),
    archivedTo: count.optional(),
    commits: count.optional(),
    lastCommitAt: time.nullable().optional(),
    archives: count.optional(),
    extraction: jsonObject.optional(),
    model: z.string().nullable(),
    demo: z.literal(true).optional(),
    thinking: z.string().nullable(),
    user: z.string().nullable(),
    agent: z.string(),
    platform: z.string().nullable(),
    cwd: z.string().nullable(),
    tags: z.array(z.string()),
    metadata: jsonObject,
    parent: sessionId.nullable(),
    holds: z.array(z.string()),
    running: z.object({ run: runId, turn: turnId, since: time }).nullable(),
    lastPromptTokens: count.nullable(),
    route: z.object({ key: z.string(), generation: count }).optional(),
    usage: usageTotals,
    config: z
      .record(
        z.string(),
        z.object({
          value: z.union([z.string(), z.number(), z.boolean(), z.array(z.string()), z.null()]),
          layer: z.enum(['default', 'user', 'project', 'environment', 'flag', 'session', 'options']),
          where: z.string().optional(),
        }),
      )
      .optional(),
    objective: z.string().nullable().optional(),
  })
  .openapi('SessionInfo')

export const sessionPage: z.ZodType = z
  .object({ items: z.array(sessionInfo), next: z.string().optional() })
  .openapi('SessionPage')
export const messagesPage: z.ZodType = z
  .object({ items: z.array(sessionMessage), next: entryId.optional() })
  .openapi('MessagesPage')
export const entriesPage: z.ZodType = z.object({ items: z.array(entry), next: z.int().optional() }).openapi('EntriesPage')

export const appended: z.ZodType = z
  .object({ entries: z.array(entry), seq: count, liveTokens: count, durability, replayed: z.boolean() })
  .openapi('Appended')

export const recorded: z.ZodType = z
  .object({
    turn: turnId,
    index: count,
    entries: z.array(entry),
    usage,
    usageSource: z.enum(['reported', 'estimated']),
    durability,
    replayed: z.boolean(),
  })
  .openapi('Recorded')

export const deleted: z.ZodType = z
  .union([z.object({ until: time }), z.object({ entries: count, blobs: count, archives: count, jobs: count, views: count })])
  .openapi('Deleted')

export const imported: z.ZodType = z
  .object({
    id: sessionId,
    created: z.boolean(),
    entries: count,
    messages: count,
    badLines: count,
    unknown: count,
    dangling: count,
  })
  .openapi('Imported')

export const folderImported: z.ZodType = z
  .object({
    id: sessionId,
    created: z.boolean(),
    sessions: z.array(sessionId),
    archives: count,
    merged: count,
    messages: count,
    entries: count,
    skipped: z.array(z.object({ path: z.string(), reason: z.string() })),
  })
  .openapi('FolderImported')

export const hermesImported: z.ZodType = z
  .object({
    routes: count,
    sessions: count,
    messages: count,
    skipped: z.array(z.object({ what: z.string(), why: z.string() })),
    branches: count,
  })
  .openapi('HermesImported')

export const searchResult: z.ZodType = z
  .object({
    hits: z.array(
      z.object({
        session: sessionId,
        entry: entryId,
        seq: count,
        at: time,
        role: z.string(),
        title: z.string().nullable(),
        snippet: z.string(),
        ranges: z.array(z.array(count)),
        score: z.number(),
      }),
    ),
    behind: z.object({ entries: count, ms: z.number() }).optional(),
  })
  .openapi('SearchResult')

export const treeNode: z.ZodType = z
  .lazy(() =>
    z.object({
      id: entryId,
      last: entryId,
      count,
      seq: count,
      type: z.string(),
      role: z.string().optional(),
      preview: z.string().nullable(),
      label: z.string().nullable(),
      onBranch: z.boolean(),
      isLeaf: z.boolean(),
      children: z.array(treeNode),
    }),
  )
  .openapi('TreeNode')

export const sessionContext: z.ZodType = z
  .object({
    system: z.string().nullable(),
    messages: z.array(z.unknown()),
    tools: z.array(toolDescription),
    fits: z.boolean(),
    tokens: z.record(z.string(), z.unknown()),
    budget: z.record(z.string(), z.unknown()),
    repairs: z.array(z.unknown()),
    prefix: z.object({ same: z.boolean(), brokenBy: z.string().nullable(), rebilled: count }),
    version: count,
    items: z.array(contextItem).optional(),
  })
  .openapi('SessionContext')
