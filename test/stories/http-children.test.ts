import { readFileSync } from 'node:fs'
import { delegateTool } from '#agent'
import { scriptedModel } from '#models'
import { serve } from '#server'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { afterEach, describe, expect } from 'vitest'
import { DocumentedClient } from './http-client.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

interface Info {
  readonly id: string
  readonly parent: string | null
}

describe('over HTTP', () => {
  const open = async () => {
    const risky = { name: 'risky', description: 'Asks.', input: { type: 'object' }, approval: true, run: () => 'ran' }
    const skein = await openSkein({ store: 'memory:', worker: false, tools: [risky, delegateTool()] })
    closers.push(() => skein.close())
    const server = await serve(skein, { port: 0 })
    closers.push(() => server.close())
    return { skein, client: await DocumentedClient.of(server.url) }
  }

  verifies(
    'A56 A43',
    "a child's question is listed at its parent and answered by its id; its parent's cancel ends it",
    async () => {
      const { skein, client } = await open()
      const parent = await skein.sessions.create({ modelOverride: scriptedModel([{ hang: true }]) })
      const at = `/v1/sessions/${parent.id}`
      const made = await client.ask('POST', `${at}/spawn`, { body: { title: 'helper', tools: ['risky'], autonomy: 'safe' } })
      const { id, parent: of } = made.value as Info
      expect([made.status, of, made.headers.get('location')]).toEqual([201, parent.id, `/v1/sessions/${id}`])
      const model = scriptedModel([{ calls: [{ tool: 'risky' }] }, { text: 'half', hang: true }])
      await skein.sessions.open(id, { modelOverride: model })
      const key = { 'idempotency-key': 'once' }
      const again = [1, 2].map(() => client.ask('POST', `${at}/spawn`, { body: { title: 'one' }, headers: key }))
      const [one, two] = (await Promise.all(again)).map(({ value }) => (value as Info).id)
      expect(one).toBe(two)
      await client.ask('POST', `/v1/sessions/${id}/inputs`, { body: { input: 'go' } })
      const open1 = async () => (await client.ask('GET', `${at}/approvals`)).value as { items: { id: string; session: string }[] }
      await expect.poll(async () => JSON.stringify(await open1())).toContain('apr_')
      const text = JSON.stringify(await open1())
      expect(text).toContain(id)
      const [approval = ''] = /apr_[0-9A-Z]{26}/.exec(text) ?? []
      expect((await client.ask('POST', `${at}/approvals/${approval}/answer`, { body: { decision: 'allow' } })).status).toBe(200)
      await expect.poll(() => model.requests.length).toBe(2)
      expect((await client.ask('POST', `${at}/cancel`)).value).toEqual({ cancelled: true })
      const ended = await (await skein.sessions.open(id)).entries({ types: ['run_ended'] })
      expect(ended.map(({ data }) => data)).toMatchObject([{ reason: 'parent_cancelled' }])
      for (const [body, status] of [
        [{ autonomy: 'free' }, 400],
        [{ user: 'eve' }, 400],
        [{ allowance: { nano: -1 } }, 400],
        [{ role: 'emperor' }, 400],
      ] as const)
        expect([body, (await client.ask('POST', `${at}/spawn`, { body })).status]).toEqual([body, status])
    },
  )

  verifies('A53', 'an allowance is taken with a session and with an input', async () => {
    const { skein, client } = await open()
    const made = await client.ask('POST', '/v1/sessions', { body: { allowance: { tokens: 0 } } })
    const { id } = made.value as Info
    const model = scriptedModel(['never'])
    await skein.sessions.open(id, { modelOverride: model })
    const receipt = (await client.ask('POST', `/v1/sessions/${id}/inputs`, { body: { input: 'go' } })).value as { runId: string }
    const run = async () => (await client.ask('GET', `/v1/sessions/${id}/runs/${receipt.runId}`)).value
    await expect.poll(run).toMatchObject({ result: { status: 'blocked', reason: 'allowance_reached', steps: 0 } })
    expect(model.requests).toHaveLength(0)
    const { id: plain } = (await client.ask('POST', '/v1/sessions')).value as Info
    await skein.sessions.open(plain, { modelOverride: model })
    const body = { input: 'go', allowance: { nano: 1 } }
    expect((await client.ask('POST', `/v1/sessions/${plain}/inputs`, { body })).status).toBe(402)
    expect((await client.ask('POST', '/v1/sessions', { body: { allowance: { tokens: 'all' } } })).status).toBe(400)
  })

  verifies('A57', 'sessions of other programs are imported, once', async () => {
    const { client } = await open()
    for (const format of ['claude-code', 'imp']) {
      const raw = readFileSync(`test/fixtures/${format}/ferries.jsonl`, 'utf8')
      const headers = { 'content-type': 'application/x-ndjson' }
      const [first, second] = [
        await client.ask('POST', `/v1/sessions/import?format=${format}`, { raw, headers }),
        await client.ask('POST', `/v1/sessions/import?format=${format}`, { raw, headers }),
      ]
      expect([first.status, second.status]).toEqual([201, 200])
      expect(first.value).toMatchObject({ badLines: 1, unknown: 1, dangling: 1 })
      expect((second.value as Info).id).toBe((first.value as Info).id)
    }
  })
})
