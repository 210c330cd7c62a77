import { isSkeinError } from '#kernel'
import { openSqlite } from '../opening.ts'
import { someMessages } from '../messages.ts'

/** Appends so many messages from a moment on, one after the other, and says how that went. */
const [file = '', times = '0', startAt = '0'] = process.argv.slice(2)
const { skein, close } = await openSqlite(file)
const session = await skein.sessions.create()
const messages = someMessages(Number(times))
for (const message of messages.slice(0, 20)) await session.append([message])
await new Promise(resolve => setTimeout(resolve, Number(startAt) - Date.now()))
let [stall, errors] = [0, 0]
let due = performance.now() + 5
const timer = setInterval(() => {
  stall = Math.max(stall, performance.now() - due)
  due = performance.now() + 5
}, 5)
const began = performance.now()
for (const message of messages) {
  try {
    await session.append([message])
  } catch (error) {
    if (!isSkeinError(error)) throw error
    errors++
  }
}
const ms = performance.now() - began
clearInterval(timer)
await close()
console.log(JSON.stringify({ ms, stall, errors }))
