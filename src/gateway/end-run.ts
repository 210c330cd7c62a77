import { messageOf, type SessionId } from '#kernel'
import { askToCancelIn } from './cancel-asked.ts'
import type { Front } from './desk.ts'

/** How long the run of a session that was left may take to end. */
export const endRunMs = 10_000

/** Cancels the run that goes on here in a session that its route has left, and aborts it after 10 s. Law G43. */
export function endRun(front: Front, id: SessionId): void {
  const { desk, tenant, sessions } = front
  const end = async (): Promise<void> => {
    if (!desk.runsHere(tenant, id)) return await askToCancelIn(front, id)
    const session = await sessions.open(id)
    const stopWaiting = desk.runtime.timers.after(endRunMs, () => void session.abort().catch(() => undefined))
    try {
      await session.cancel()
    } finally {
      stopWaiting()
    }
  }
  end().catch((error: unknown) =>
    desk.runtime.notice({
      level: 'warn',
      code: 'gateway.cancel_failed',
      message: `The run of a session that was left could not be cancelled: ${messageOf(error)}`,
      session: id,
      tenant,
    }),
  )
}
