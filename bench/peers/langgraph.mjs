import { DatabaseSync } from 'node:sqlite'
import { emptyCheckpoint, uuid6 } from '@langchain/langgraph-checkpoint'
import { SqliteSaver } from '@langchain/langgraph-checkpoint-sqlite'
import { versionOf } from './version.mjs'

/**
 * What of better-sqlite3 the saver uses, on node:sqlite, which is as fast: so that nothing is compiled. Its build syncs a
 * write-ahead log as NORMAL does, which the saver leaves so.
 */
function database(file) {
  const db = new DatabaseSync(file)
  db.exec('PRAGMA synchronous = NORMAL')
  return {
    pragma: text => db.exec(`PRAGMA ${text}`),
    exec: sql => db.exec(sql),
    prepare: sql => {
      const statement = db.prepare(sql)
      const bound = verb => (...values) => statement[verb](...values.map(value => value ?? null))
      return { run: bound('run'), get: bound('get'), all: bound('all') }
    },
    transaction: work => rows => {
      db.exec('BEGIN')
      work(rows)
      db.exec('COMMIT')
    },
    close: () => db.close(),
  }
}

/** LangGraph's SQLite saver: a checkpoint a step, with the whole list of messages in it, as a graph's state has it. */
export async function open(folder) {
  const db = database(`${folder}/langgraph.db`)
  const saver = new SqliteSaver(db)
  const threads = new Map()
  return {
    name: 'langgraph',
    version: versionOf('@langchain/langgraph-checkpoint-sqlite'),
    note: 'every step stores all messages so far again, not synced (synchronous = NORMAL); its database here is node:sqlite',
    async append(session, message) {
      const before = threads.get(session) ?? { config: { configurable: { thread_id: session, checkpoint_ns: '' } }, messages: [], step: 0 }
      const messages = [...before.messages, message]
      const step = before.step + 1
      const checkpoint = {
        ...emptyCheckpoint(),
        id: uuid6(step),
        ts: new Date().toISOString(),
        channel_values: { messages },
        channel_versions: { messages: step },
      }
      const config = await saver.put(before.config, checkpoint, { source: 'loop', step, parents: {} })
      threads.set(session, { config, messages, step })
    },
    context: async session => (await saver.getTuple({ configurable: { thread_id: session } }))?.checkpoint.channel_values.messages,
    close: () => db.close(),
  }
}
