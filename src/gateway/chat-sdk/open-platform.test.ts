import { describe, expect, it } from 'vitest'
import { type ChatPlatform, chatPlatforms, missingVariables, openPlatform } from './open-platform.ts'
import { withoutMention } from './without-mention.ts'

const platform = (name: string): ChatPlatform => chatPlatforms[name] as ChatPlatform
const slackEnv = { SLACK_BOT_TOKEN: 'xoxb-secret', SLACK_SIGNING_SECRET: 's' }
const ignore = (): void => undefined

describe('opening a platform', () => {
  it('makes each adapter of its own variables alone', async () => {
    for (const [name, { needs }] of Object.entries(chatPlatforms)) {
      // Discord's public key is 32 bytes in hex.
      const env = Object.fromEntries(
        needs.map(variable => [variable, variable === 'DISCORD_PUBLIC_KEY' ? 'ab'.repeat(32) : '1:x']),
      )
      expect((await openPlatform(platform(name), env, ignore)).name).toBe(name)
    }
  })

  it('names the variables that are missing or blank, and no value', async () => {
    const env = { ...slackEnv, SLACK_SIGNING_SECRET: '  ' }
    expect(missingVariables(platform('slack'), env)).toEqual(['SLACK_SIGNING_SECRET'])
    const refused = openPlatform(platform('slack'), env, ignore)
    await expect(refused).rejects.toMatchObject({ code: 'config.invalid', message: 'Slack: set SLACK_SIGNING_SECRET.' })
  })

  it('names the two packages to install where they are not there', async () => {
    for (const name of Object.keys(chatPlatforms)) {
      const { needs, package: own, version } = platform(name)
      const absent = { ...platform(name), load: () => Promise.reject(new Error(`Cannot find package '${own}'`)) }
      const install = `npm install chat@4.41.1 ${own}@${version}`
      await expect(
        openPlatform(absent, Object.fromEntries(needs.map(variable => [variable, 'x'])), ignore),
      ).rejects.toMatchObject({
        code: 'adapter.unavailable',
        message: expect.stringContaining(install) as string,
        details: { packages: ['chat', own], install },
      })
    }
  })
})

describe('the mention that a message begins with', () => {
  it('is left out by any of the names, and stays where nothing else is said', () => {
    const names = ['UBOT', 'skein', 'Skein Helper', undefined, '']
    for (const [text, said] of [
      ['@Skein Helper, what is on?', 'what is on?'],
      ['<@UBOT> hello', 'hello'],
      ['@skein: @UBOT hello @skein', 'hello @skein'],
      ['@skein', '@skein'],
      ['@skeins are many', '@skeins are many'],
      ['ask @skein', 'ask @skein'],
      ['/status', '/status'],
    ] as const)
      expect(withoutMention(text, names)).toBe(said)
    expect(withoutMention('@a.b x', ['a.b'])).toBe('x')
    expect(withoutMention('@aXb x', ['a.b'])).toBe('@aXb x')
    expect(withoutMention('@ x', [])).toBe('@ x')
  })
})
