import type { GatewayOptions } from '#gateway'
import type { Skein } from '#skein'
import { verifies } from '#verifies'
import { expect } from 'vitest'
import { onEveryStore } from './stores.ts'

const redacted = { privacy: { redact: true } } as const satisfies GatewayOptions
const shownUser = (prompt: string): string | undefined => /^\*\*User ID:\*\* (.*)$/m.exec(prompt)?.[1]

onEveryStore('privacy', place => {
  const begin = async (gateway: GatewayOptions = {}): Promise<Skein> => await (await place()).open({ gateway })

  verifies('G75', 'all aliases of a person share a pseudonym, which another tenant does not know', async () => {
    const at = await place()
    const skein = await at.open({ gateway: redacted })
    const { gateway } = skein
    const source = (chatId: string): { platform: string; chatId: string; userId: string } => ({
      platform: 'whatsapp',
      chatId,
      userId: chatId,
    })
    await gateway.identities.learn('whatsapp', '15551234567', '900000000000001@lid')
    const [phone, lid, other] = await Promise.all(
      ['+15551234567', '900000000000001@lid', '49'].map(async id => shownUser(await gateway.prompt(source(id)))),
    )
    expect(phone).toMatch(/^user_[0-9a-f]{12}$/)
    expect(lid).toBe(phone)
    expect(other).not.toBe(phone)
    expect(shownUser(await skein.in('other').gateway.prompt(source('+15551234567')))).not.toBe(phone)
    // The key is made once.
    await skein.close()
    const later = await at.open({ gateway: redacted })
    expect(shownUser(await later.gateway.prompt(source('15551234567')))).toBe(phone)
  })

  verifies('G75', 'nothing is redacted where answers need ids, or where nobody asked', async () => {
    const { gateway } = await begin(redacted)
    for (const platform of ['discord', 'slack']) expect(shownUser(await gateway.prompt({ platform, userId: '42' }))).toBe('42')
    expect(shownUser(await gateway.prompt({ platform: 'telegram', userId: '42' }))).toMatch(/^user_/)
    expect(shownUser(await gateway.prompt({ platform: 'telegram', userId: '42' }, { redact: false }))).toBe('42')
    // Routing keeps the originals.
    expect((await gateway.resolve({ platform: 'telegram', userId: '42' })).route.origin.userId).toBe('42')
    expect(await gateway.context({ platform: 'telegram', userId: '42' })).toMatchObject({ source: { userId: '42' } })
  })

  verifies('G73', "the seed's form is there for who asks for it, and a key of one's own gives the same anywhere", async () => {
    const seed = await begin({ privacy: { redact: true, pseudonyms: 'seed' } })
    expect(shownUser(await seed.gateway.prompt({ platform: 'telegram', userId: 'user-123' }))).toBe('user_fcdec6df4d44')
    const key = 'ab'.repeat(32)
    const shown = async (tenant: string, own: string): Promise<string | undefined> =>
      shownUser(
        await (
          await begin({ privacy: { redact: true, key: own } })
        )
          .in(tenant)
          .gateway.prompt({ platform: 'telegram', userId: '1' }),
      )
    const one = await shown('default', key)
    expect(await shown('default', key)).toBe(one)
    expect(await shown('other', key)).not.toBe(one)
    expect(await shown('default', 'cd'.repeat(32))).not.toBe(one)
  })

  verifies('G89', 'the prompt is a function of the context and the settings', async () => {
    const at = await place()
    const gateway = {
      outputDir: '/home/ada/out/',
      privacy: { key: 'ab'.repeat(32) },
      platforms: { telegram: { home: { chatId: '5' } } },
    }
    const skein = await at.open({ gateway, env: { HOME: '/home/ada' } })
    const source = { platform: 'telegram', chatId: '9', userName: 'Ada', messageId: '1' }
    const [context, prompt] = [await skein.gateway.context(source), await skein.gateway.prompt(source)]
    expect(prompt).toContain('Save to local files only (~/out/)')
    // A platform that no adapter connects has no home here.
    expect([context.connectedPlatforms, context.homeChannels]).toEqual([[], {}])
    expect(JSON.stringify(context)).not.toContain('abab')
    expect(await skein.gateway.prompt({ ...source, messageId: '2' })).toBe(prompt)
    expect((await skein.gateway.list()).items).toEqual([])
    const { session } = await skein.gateway.resolve(source)
    expect(await skein.gateway.context(source)).toEqual({
      ...context,
      sessionId: session.id,
      createdAt: at.clock.now(),
      updatedAt: at.clock.now(),
    })
    expect(await skein.gateway.prompt(source)).toBe(prompt)
  })
})
