import { mkdirSync } from 'node:fs'
import { SessionManager } from '@earendil-works/pi-coding-agent'
import { versionOf } from './version.mjs'

/** pi's session manager: one JSONL file a session, appended line by line and never synced. */
export async function open(folder) {
  const managers = new Map()
  const manager = session => {
    let found = managers.get(session)
    if (found === undefined) {
      const folderOf = `${folder}/pi-${session}`
      mkdirSync(folderOf, { recursive: true })
      found = SessionManager.create(folder, folderOf)
      managers.set(session, found)
    }
    return found
  }
  const text = part => part.text ?? JSON.stringify(part.output)
  const usage = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, totalTokens: 0, cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 } }
  const piMessage = ({ role, parts }) => {
    const timestamp = Date.now()
    if (role === 'user') return { role, content: parts.map(part => ({ type: 'text', text: text(part) })), timestamp }
    if (role === 'tool') {
      const [part] = parts
      return { role: 'toolResult', toolCallId: part.callId, toolName: part.tool, content: [{ type: 'text', text: typeof part.output === 'string' ? part.output : JSON.stringify(part.output) }], isError: false, timestamp }
    }
    const content = parts.map(part =>
      part.type === 'tool_call' ? { type: 'toolCall', id: part.callId, name: part.tool, arguments: part.input } : { type: 'text', text: text(part) },
    )
    return { role, content, api: 'openai-completions', provider: 'none', model: 'none', usage, stopReason: 'stop', timestamp }
  }
  return {
    name: 'pi',
    version: versionOf('@earendil-works/pi-coding-agent'),
    note: 'appends a line to a file and never syncs',
    append: (session, message) => void manager(session).appendMessage(piMessage(message)),
    resume: (session, limit) => {
      const again = SessionManager.open(manager(session).getSessionFile())
      return again.getBranch().slice(-limit)
    },
    context: session => manager(session).buildSessionContext(),
    close: () => managers.clear(),
  }
}
