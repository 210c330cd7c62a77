import type { Session } from '#skein'
import { expect } from 'vitest'

/** Every id of an entry that a ref's text names, in its order. */
async function idsBehind(session: Session, ref: string): Promise<string[]> {
  let content = ''
  for (let offset: number | undefined = 0; offset !== undefined;) {
    const page = await session.expand(ref, { offset, unit: 'chars', limit: 50_000 })
    content += page.content
    offset = page.next?.offset
  }
  return [...content.matchAll(/^\[(ent_[0-9A-Z]{26}) /gm)].map(([, id = '']) => id)
}

/** Ranges are dense, and each message of the branch is live or in exactly one listed archive, in the journal's order. Law M11. */
export async function proveArchives(session: Session): Promise<{ readonly archives: number; readonly live: number }> {
  const listed = (await session.archives({ limit: 200 })).toReversed()
  const { archivedTo, liveMessages } = await session.info()
  let end = 0
  for (const { fromSeq, toSeq } of listed) {
    expect(fromSeq).toBe(end + 1)
    expect(toSeq).toBeGreaterThanOrEqual(fromSeq)
    end = toSeq
  }
  expect(archivedTo).toBe(end)
  const said = await session.conversation()
  const live = said.filter(({ seq }) => seq > archivedTo).map(({ id }) => id)
  expect(liveMessages).toBe(live.length)
  const behind: string[] = []
  for (const { id } of listed) behind.push(...(await idsBehind(session, id)))
  expect(new Set(behind).size).toBe(behind.length)
  const onBranch = new Set<string>(said.map(({ id }) => id))
  expect([...behind.filter(id => onBranch.has(id)), ...live]).toEqual(said.map(({ id }) => id))
  return { archives: listed.length, live: live.length }
}
