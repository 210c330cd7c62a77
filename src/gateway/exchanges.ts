import { runCommand } from './commands.ts'
import type { Front } from './desk.ts'
import { Exchange } from './exchange.ts'
import type { InboxRow } from './inbox-row.ts'
import { maskFor } from './pseudonym-key.ts'
import { senderName } from './sender.ts'

/** The exchanges of one opening, one for each tenant that speaks. */
export class Exchanges {
  readonly #byTenant = new Map<string, Exchange>()
  readonly #frontOf: (tenant: string) => Front

  constructor(frontOf: (tenant: string) => Front) {
    this.#frontOf = frontOf
  }

  of(tenant: string): Exchange {
    const known = this.#byTenant.get(tenant)
    if (known !== undefined) return known
    const front = this.#frontOf(tenant)
    const made = new Exchange({ front, frontOf: this.#frontOf, command: runCommand, speaker: row => speakerOf(front, row) })
    this.#byTenant.set(tenant, made)
    return made
  }

  async stop(drainMs: number): Promise<void> {
    await Promise.all([...this.#byTenant.values()].map(exchange => exchange.stop(drainMs)))
  }
}

/** How a sender is called where many may speak: by name, else by an id that stands for them. Law G72. */
async function speakerOf(front: Front, { source, sender }: InboxRow): Promise<string> {
  const mask = await maskFor(front, source.platform, front.desk.settings.privacy.redact)
  const id = sender ?? source.userId
  return senderName(source, id === undefined ? undefined : mask?.user(source.platform, id)) ?? 'user'
}
