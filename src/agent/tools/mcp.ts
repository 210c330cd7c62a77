import { isObject, type JsonObject, SkeinError, toJson } from '#kernel'
import type { FileInput, TextPart } from '#journal'
import type { Tool, ToolCall, ToolReply } from './definition.ts'

/** A connected client of the Model Context Protocol, by the shape of `@modelcontextprotocol/sdk`. */
export interface McpClient {
  listTools(params?: { readonly cursor?: string }): Promise<{ readonly tools: readonly unknown[]; readonly nextCursor?: unknown }>
  callTool(
    params: { readonly name: string; readonly arguments: Record<string, unknown> },
    resultSchema?: undefined,
    options?: { readonly signal: AbortSignal; readonly timeout: number },
  ): Promise<unknown>
}

export interface McpOptions {
  /** Stands before each tool's name, with an underscore. */
  readonly name: string
  /** Believes what the server says of its tools: that they only read, and may be repeated. Default: no. */
  readonly trustHints?: boolean
}

/** Listing that never ends is a broken server. */
const maxPages = 100
const callTimeoutMs = 120_000

/**
 * The tools of an MCP server, `NAME_TOOL` each. What they answer is labelled `external-untrusted`. Throws `tool.duplicate`
 * where two names become one. Source: spec/agent.md 10, laws A28, A61.
 */
export async function mcpTools(client: McpClient, { name, trustHints = false }: McpOptions): Promise<Tool[]> {
  const tools: Tool[] = []
  let cursor: string | undefined
  for (let page = 0; page < maxPages; page++) {
    const listed = await client.listTools(cursor === undefined ? undefined : { cursor })
    tools.push(...listed.tools.filter(isObject).map(told => mcpTool(client, name, told, trustHints)))
    cursor = typeof listed.nextCursor === 'string' && listed.nextCursor !== '' ? listed.nextCursor : undefined
    if (cursor === undefined) break
  }
  const twice = tools.find((tool, at) => tools.findIndex(other => other.name === tool.name) !== at)
  if (twice !== undefined)
    throw new SkeinError('tool.duplicate', `Two tools are named ${twice.name}.`, { details: { tool: twice.name } })
  return tools
}

function mcpTool(client: McpClient, server: string, told: Record<string, unknown>, trustHints: boolean): Tool {
  const remote = String(told['name'])
  const hints = trustHints && isObject(told['annotations']) ? told['annotations'] : {}
  const readOnly = hints['readOnlyHint'] === true
  return {
    name: localName(`${server}_${remote}`),
    description: typeof told['description'] === 'string' ? told['description'] : '',
    input: isObject(told['inputSchema']) ? (toJson(told['inputSchema'], `tools.${remote}.inputSchema`) as JsonObject) : {},
    kind: hints['openWorldHint'] === false ? (readOnly ? 'read' : 'execute') : 'network',
    trust: 'external-untrusted',
    timeoutMs: callTimeoutMs,
    ...(readOnly ? { readOnly } : {}),
    ...(hints['idempotentHint'] === true ? { replay: 'idempotent' } : {}),
    run: async (input, { signal }: ToolCall) =>
      replyOf(
        await client.callTool({ name: remote, arguments: isObject(input) ? input : {} }, undefined, {
          signal,
          timeout: callTimeoutMs,
        }),
      ),
  }
}

/** MCP allows more characters, and longer names, than models do. */
const localName = (name: string): string => name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64)

function replyOf(answer: unknown): ToolReply {
  if (!isObject(answer)) return { content: answer }
  const { content, structuredContent, isError } = answer
  const parts = Array.isArray(content) ? content.filter(isObject).map(partOf) : []
  return {
    content: parts.length > 0 ? parts : (structuredContent ?? null),
    ...(isError === true ? { isError } : {}),
    ...(structuredContent === undefined ? {} : { details: structuredContent }),
  }
}

function partOf(part: Record<string, unknown>): TextPart | FileInput {
  const { type, text, data, mimeType, resource } = part
  if (type === 'text' && typeof text === 'string') return { type: 'text', text }
  if ((type === 'image' || type === 'audio') && typeof data === 'string' && typeof mimeType === 'string')
    return { type: 'file', mediaType: mimeType, data: Buffer.from(data, 'base64') }
  if (type === 'resource' && isObject(resource) && typeof resource['text'] === 'string')
    return { type: 'text', text: resource['text'] }
  if (type === 'resource' && isObject(resource) && typeof resource['blob'] === 'string')
    return {
      type: 'file',
      mediaType: typeof resource['mimeType'] === 'string' ? resource['mimeType'] : 'application/octet-stream',
      data: Buffer.from(resource['blob'], 'base64'),
    }
  return { type: 'text', text: JSON.stringify(part) }
}
