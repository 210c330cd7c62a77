import { reservedTenant } from '#kernel'
import type { Skein } from '#skein'
import type { Trouble } from './trouble.ts'

/** Proves the contexts of all sessions whose context was ever changed. Law C81. */
export async function auditContexts(skein: Skein): Promise<Trouble[]> {
  const found: Trouble[] = []
  for (const tenant of await skein.store.tenants()) {
    if (tenant === reservedTenant) continue
    const { sessions } = skein.in(tenant)
    for (let cursor: string | undefined; ;) {
      const page = await skein.store.in(tenant).sessions({ limit: 200, ...(cursor === undefined ? {} : { cursor }) })
      for (const { id, data } of page.items) {
        if (data['edited'] !== true) continue
        const session = await sessions.open(id)
        for (const { kind, ref, message } of (await session.audit()).findings)
          found.push({ kind: `context_${kind}`, message: `${tenant} ${id}: ${ref}: ${message}` })
        await session.close()
      }
      cursor = page.next
      if (cursor === undefined) break
    }
  }
  return found
}
