import type { Clock } from '#kernel'
import type { Notice } from '#session'
import type { SkeinOptions } from './skein-options.ts'

export interface Notices {
  tell(notice: Notice): void
  /** Who else hears each notice. */
  follow(listen: (notice: Notice) => void): void
}

/** Tells each notice to whoever listens. They may fail, now or later; what is told of goes on. */
export function noticesOf({ onNotice, logger }: SkeinOptions, clock: Clock): Notices {
  let follower = (_notice: Notice): void => undefined
  const heard = async (listen: () => unknown): Promise<unknown> => await listen()
  return {
    tell(notice) {
      heard(() => onNotice?.(notice)).catch(() => undefined)
      heard(() => logger?.log({ at: clock.now(), ...notice })).catch(() => undefined)
      follower(notice)
    },
    follow: listen => (follower = listen),
  }
}
