import { isSkeinError, newId } from '#kernel'
import type { Session } from '#skein'
import { expect } from 'vitest'
import { verifies } from '#verifies'
import { addTurn, longSession, small, wordsOf } from './long-session.ts'
import { onEveryStore } from './stores.ts'

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return isSkeinError(error) ? error.code : String(error)
  }
  return 'resolved'
}

/** Every page from the first, joined. */
async function whole(session: Session, ref: string, page: Parameters<Session['expand']>[1] = {}): Promise<string> {
  let content = ''
  for (let ask: typeof page | undefined = page; ask !== undefined;) {
    const answer = await session.expand(ref, ask)
    content += answer.content
    ask = answer.next
  }
  return content
}

const refPattern = /\b(?:ent|sum)_[0-7][0-9A-HJKMNP-TV-Z]{25}(?:#\d+)?/g

onEveryStore('recall', place => {
  verifies('C32 C81 C13 C21 C11 C12', 'names nothing that can’t be read, and loses nothing', async () => {
    const here = await place()
    const session = await longSession(await here.open())
    const { messages } = await session.context({ compact: false, facts: small, format: 'skein' })
    const text = JSON.stringify(messages)
    const named = new Set(text.match(refPattern))
    expect(named.size).toBeGreaterThan(2)
    for (const ref of named) expect((await session.expand(ref)).content).not.toBe('')

    const found = await session.audit()
    expect(found).toMatchObject({ entries: 120, missing: [], doubled: [], unreachable: [], findings: [] })
    expect(found.raw + found.covered + found.hidden + found.prefill).toBe(120)
    expect(found.covered).toBeGreaterThan(50)

    const shown = (await session.summaries()).filter(summary => summary.shown)
    const conversation = await session.conversation()
    for (const { id, covers } of shown) {
      const content = await whole(session, id)
      const from = conversation.findIndex(message => message.id === covers.first)
      const to = conversation.findIndex(message => message.id === covers.last)
      const refs = [...content.matchAll(/^\[(ent_\w+) /gm)].map(match => match[1])
      expect(refs).toEqual(conversation.slice(from, to + 1).map(message => message.id))
    }
  })
})
