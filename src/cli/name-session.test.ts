import { describe, expect, it } from 'vitest'
import { createIds, isSkeinError, manualClock, seededRandom, type SkeinError } from '#kernel'
import { openSkein } from '#skein'
import { localVerbs } from './local.ts'
import { findSession } from './name-session.ts'

const clock = manualClock()
const skein = await openSkein({ store: 'memory:', clock, random: seededRandom(1) })
const verbs = localVerbs(skein, skein)
const make = async (options: Parameters<typeof skein.sessions.create>[0]): Promise<string> => {
  clock.advance(86_400_000 * 365)
  return (await skein.sessions.create(options)).id
}
const first = await make({ title: 'Plans' })
const second = await make({ title: 'Plans' })
const aliased = await make({ id: 'chat-42', title: 'Aliased' })

async function refusal(name: string): Promise<SkeinError> {
  const error: unknown = await findSession(verbs, name).catch((thrown: unknown) => thrown)
  if (isSkeinError(error)) return error
  throw new Error('It was found.')
}

describe('naming a session', () => {
  it('works by id, alias, beginning of the id and exact title', async () => {
    expect(await findSession(verbs, first)).toBe(first)
    expect(await findSession(verbs, 'chat-42')).toBe(aliased)
    expect(await findSession(verbs, second.slice(0, 12))).toBe(second)
    expect(await findSession(verbs, 'Aliased')).toBe(aliased)
  })

  it('that means several is refused with the candidates', async () => {
    const { code, details } = await refusal('Plans')
    expect(code).toBe('input.invalid')
    expect((details['candidates'] as { id: string }[]).map(({ id }) => id).sort()).toEqual([first, second].sort())
  })

  it('by fewer than eight characters of the id is refused', async () => {
    expect((await refusal(second.slice(0, 7))).code).toBe('session.not_found')
  })

  it('that nobody has is refused', async () => {
    expect((await refusal('nobody')).code).toBe('session.not_found')
    expect(await findSession(verbs, createIds()('ses'))).toMatch(/^ses_/)
  })

  it('finds deleted ones only where they are asked for', async () => {
    await skein.sessions.delete(aliased)
    expect((await refusal('Aliased')).code).toBe('session.not_found')
    expect(await findSession(verbs, 'Aliased', 'deleted')).toBe(aliased)
  })
})
