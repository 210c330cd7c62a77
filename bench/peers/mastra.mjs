import { randomUUID } from 'node:crypto'
import { LibSQLStore } from '@mastra/libsql'
import { versionOf } from './version.mjs'

/** Mastra's libsql storage, by its memory domain: a thread a session. Its own settings: a write-ahead log, NORMAL. */
export async function open(folder) {
  const url = `file:${folder}/mastra.db`
  const connect = async () => {
    const store = new LibSQLStore({ id: 'bench', url })
    await store.init()
    return { store, memory: await store.getStore('memory') }
  }
  const { store, memory } = await connect()
  const threads = new Map()
  const thread = session => {
    let made = threads.get(session)
    if (made === undefined) {
      const now = new Date()
      made = memory.saveThread({ thread: { id: session, resourceId: 'bench', title: '', metadata: {}, createdAt: now, updatedAt: now } })
      threads.set(session, made)
    }
    return made
  }
  const parts = list =>
    list.map(part =>
      part.type === 'text'
        ? part
        : part.type === 'tool_call'
          ? { type: 'tool-invocation', toolInvocation: { state: 'call', toolCallId: part.callId, toolName: part.tool, args: part.input } }
          : { type: 'tool-invocation', toolInvocation: { state: 'result', toolCallId: part.callId, toolName: part.tool, args: {}, result: part.output } },
    )
  const stored = (session, { role, parts: list }) => ({
    id: randomUUID(),
    role: role === 'user' ? 'user' : 'assistant',
    threadId: session,
    resourceId: 'bench',
    type: 'v2',
    createdAt: new Date(),
    content: { format: 2, parts: parts(list) },
  })
  const newest = limit => ({ perPage: limit, page: 0, orderBy: { field: 'createdAt', direction: 'DESC' } })
  return {
    name: 'mastra',
    version: versionOf('@mastra/libsql'),
    note: 'two transactions a message, neither synced (synchronous = NORMAL)',
    async append(session, message) {
      await thread(session)
      await memory.saveMessages({ messages: [stored(session, message)] })
    },
    async fill(session, messages) {
      await thread(session)
      await memory.saveMessages({ messages: messages.map(message => stored(session, message)) })
    },
    async resume(session, limit) {
      const again = await connect()
      const page = await again.memory.listMessages({ threadId: session, ...newest(limit) })
      await again.store.close?.()
      return page.messages
    },
    context: async (session, limit) => (await memory.listMessages({ threadId: session, ...newest(limit) })).messages,
    close: async () => void (await store.close?.()),
  }
}
