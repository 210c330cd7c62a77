import { openSqlite } from '../opening.ts'
import { someMessages } from '../messages.ts'

/** Appends so many messages to a session of its own, one after the other, and says its process id. */
const [file = '', times = '0'] = process.argv.slice(2)
const { skein, close } = await openSqlite(file)
const session = await skein.sessions.create()
for (const message of someMessages(Number(times))) await session.append([message])
await close()
console.log(process.pid)
