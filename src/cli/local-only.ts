import { SkeinError } from '#kernel'
import type { Invocation } from './command.ts'

/** Some commands work on the store itself and are refused where a server was named. */
export function refuseServer({ server }: Invocation, command: string): void {
  if (server === undefined) return
  throw new SkeinError('input.invalid', `skein ${command} works on a store: run it where the store is, without --url.`, {
    details: { path: '--url' },
  })
}
