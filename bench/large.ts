import { join } from 'node:path'
import type { Session } from '#skein'
import { messageMix, type MixMessage, payloadBytes } from './messages.ts'
import { folderIn, type OpenSkein, openSqlite, peersIn, rawIn } from './opening.ts'
import type { Peer } from './peers.ts'
import type { Raw } from './raw.ts'
import type { Setting } from './row.ts'

/** The same messages everywhere: in Skein, in the bare table, in the peers. */
export interface Large {
  readonly file: string
  readonly rawFile: string
  readonly opened: OpenSkein
  readonly raw: Raw
  readonly peers: readonly Peer[]
  /** Of 100,000 messages and of the newest 1,000 of them; in raw and the peers they are named `large` and `small`. */
  readonly large: Session
  readonly small: Session
  readonly count: number
  readonly payload: number
  /** A word that one message alone has. */
  readonly needle: string
}

const needle = 'quetzalcoatlus'

/** A store with a session of 100,000 messages and one of 1,000, made once and shared by rows. */
export function largeStore(setting: Setting): Promise<Large> {
  const known = setting.shared.get('large') as Promise<Large> | undefined
  if (known !== undefined) return known
  const made = build(setting)
  setting.shared.set('large', made)
  return made
}

async function build(setting: Setting): Promise<Large> {
  const count = setting.quick ? 4_000 : 100_000
  const folder = folderIn(setting)
  const [file, rawFile] = [join(folder, 'skein.db'), join(folder, 'raw.db')]
  const opened = await openSqlite(file)
  const raw = rawIn(folder)
  const peers = await peersIn(setting, ['pi', 'mastra'])
  const [large, small] = [await opened.skein.sessions.create(), await opened.skein.sessions.create()]
  let payload = 0
  const mix = messageMix(7)
  const newest: MixMessage[] = []
  for (let done = 0; done < count;) {
    const batch = Array.from({ length: 200 }, () => mix.next())
    if (done === count / 2) batch[0] = { role: 'user', parts: [{ type: 'text', text: `Where is the ${needle} kept?` }] }
    for (const message of batch) payload += payloadBytes(message)
    await large.append(batch)
    raw.appendAll(batch.map(message => ({ session: 'large', message })))
    for (const peer of peers) await fill(peer, 'large', batch)
    done += batch.length
    newest.push(...batch)
  }
  const few = newest.slice(-1_000)
  for (const message of few) payload += payloadBytes(message)
  await small.append(few)
  raw.appendAll(few.map(message => ({ session: 'small', message })))
  for (const peer of peers) await fill(peer, 'small', few)
  await opened.store.indexed()
  setting.cleanups.push(async () => {
    raw.close()
    await opened.close()
    for (const peer of peers) await peer.close()
  })
  return { file, rawFile, opened, raw, peers, large, small, count, payload, needle }
}

async function fill(peer: Peer, session: string, messages: readonly unknown[]): Promise<void> {
  if (peer.fill !== undefined) return peer.fill(session, messages)
  for (const message of messages) await peer.append(session, message)
}
