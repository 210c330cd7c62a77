/* Two processes, one file. Each session has one writer at a time; a reader in another process sees every entry. */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSkeinError, openSkein } from 'skein'

const [store] = process.argv.slice(2)
await (store === undefined ? parent() : child(store))

async function parent(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skein-'))
  const address = `sqlite:${join(folder, 'skein.db')}`
  const skein = await openSkein({ store: address })
  const session = await skein.sessions.create({ id: 'shared' })
  await session.append({ role: 'user', content: 'from the first process' })

  const other = fork(import.meta.filename, [address])
  const gone = new Promise(resolve => other.once('exit', resolve))
  for await (const event of session.events({ types: ['message_added', 'entry_labelled'] })) {
    console.log(event.type, 'entry' in event ? event.seq : '')
    if ('entry' in event && event.seq === 4) break
  }
  await gone
  console.log((await session.messages()).length, 'messages')
  await skein.close()
  rmSync(folder, { recursive: true })
}

async function child(address: string): Promise<void> {
  await using skein = await openSkein({ store: address })
  const session = await skein.sessions.open('shared')
  const [message] = await session.messages()
  // What stands beside the branch may come from any process at any time.
  if (message !== undefined) await session.label(message.id, 'seen')
  for (;;) {
    try {
      await session.append({ role: 'assistant', content: 'from the second process' })
      return
    } catch (error) {
      // The first process holds the session until it has been quiet for two seconds.
      if (!isSkeinError(error) || !error.retryable) throw error
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

/* Prints:
message_added 2
entry_labelled 3
message_added 4
2 messages
*/
