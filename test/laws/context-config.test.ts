import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSkeinError } from '#kernel'
import { openSkein } from '#skein'
import { describe, expect, it } from 'vitest'
import { freshFolder } from './stores.ts'

const opened = async (toml: string, options: Parameters<typeof openSkein>[0] = {}): ReturnType<typeof openSkein> => {
  const config = join(freshFolder(), 'config.toml')
  writeFileSync(config, toml)
  return await openSkein({ store: 'memory:', worker: false, config, ...options })
}

describe('the section context of a config file', () => {
  it('holds for sessions that say nothing, below what the program and the session say', async () => {
    await using skein = await opened('[context]\nbuffer = 1_000\nauto = false\n[context.prune]\nprotectedTools = ["read"]\n', {
      context: { auto: true },
    })
    const budget = async (context = {}): Promise<unknown> => {
      const session = await skein.sessions.create({ context })
      return (await session.context()).budget
    }
    expect(await budget()).toMatchObject({ buffer: 1_000 })
    expect(await budget({ buffer: 2_000 })).toMatchObject({ buffer: 2_000 })
    const session = await skein.sessions.create()
    const facts = { contextWindow: 5_000, maxOutput: 500 }
    await session.append([
      { role: 'user', content: 'word '.repeat(4_000) },
      { role: 'assistant', content: 'yes' },
      { role: 'user', content: 'and?' },
    ])
    expect((await session.context({ facts })).fits).toBe(true)
  })

  it('may be said by variables, too', async () => {
    await using skein = await opened('', { env: { SKEIN_CONTEXT_BUFFER: '3000' } })
    expect((await (await skein.sessions.create()).context()).budget.buffer).toBe(3_000)
  })

  it.each([
    ['[context]\nfanout = 99\n', 'context.fanout'],
    ['[context]\nsoftFraction = 0.2\n', 'context.softFraction'],
    ['[context.prune]\nprotectTokens = 100\nminTokens = 100\n', 'context.prune.minTokens'],
  ])('is refused by name where it is wrong: %s', async (toml, key) => {
    const thrown = await opened(toml).catch((error: unknown) => error)
    expect(isSkeinError(thrown) && { code: thrown.code, key: thrown.details['key'] }).toEqual({ code: 'config.invalid', key })
  })
})
