/** How WhatsApp ids are written down: anything else is no id of it. */
const idShape = /^[A-Za-z0-9@.+-]+$/

/** Without the first `+`, the device and the host: `+15551234567:47@s.whatsapp.net` is `15551234567`. */
export function normalizeWhatsApp(id: string): string {
  const bare = id.trim().replace('+', '')
  const [head = ''] = bare.split(':', 1)
  const [user = ''] = head.split('@', 1)
  return user
}

/** Whether an alias may be learnt: what is left of it may be part of an id, and something is. */
export function isWhatsAppId(id: string): boolean {
  const bare = normalizeWhatsApp(id)
  return bare !== '' && idShape.test(bare)
}

/**
 * The id that stands for all aliases while no route uses any: the shortest, then the smallest; normalized.
 * `aliases` are what is known to be the same person as `id`.
 */
export function canonicalWhatsApp(id: string, aliases: readonly string[] = []): string {
  const known = [id, ...aliases].map(normalizeWhatsApp).filter(alias => alias !== '')
  return smallestOf(known) ?? ''
}

/** The shortest, then the smallest. */
export function smallestOf(aliases: readonly string[]): string | undefined {
  return [...aliases].sort((a, b) => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0))[0]
}
