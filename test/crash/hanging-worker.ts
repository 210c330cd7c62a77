import { systemClock } from '#kernel'
import { scriptedModel } from '#models'
import { openSkein } from '#skein'
import { doTask } from './do-task.ts'
import { type Address, openAt } from './place.ts'

/** A run that hangs in the midst of an answer: of a new session, or of one that is there. */
export interface HangingTask {
  readonly address: Address
  readonly session: string | null
}

/** What the child says once its run has begun to answer. */
export interface Hanging {
  readonly session: string
  /** A sub-session of it that has no run yet. */
  readonly child: string
}

async function work({ address, session: known }: HangingTask): Promise<void> {
  const store = await openAt(address, systemClock)
  const skein = await openSkein({ store, worker: false })
  const gear = { modelOverride: scriptedModel([{ text: 'half', hang: true }]) }
  const session = known === null ? await skein.sessions.create(gear) : await skein.sessions.open(known, gear)
  const child = await session.spawn()
  const run = session.send('go')
  for await (const event of run) if (event.type === 'text_delta') break
  process.stdout.write(`${JSON.stringify({ session: session.id, child: child.id } satisfies Hanging)}\n`)
  const { status, reason, text } = await run.result()
  process.stdout.write(`${status} ${reason} ${text}\n`)
  await skein.close()
  await store.close()
}

await doTask(import.meta.filename, work)
