import { openSkein } from '#skein'
import { describe, expect, it } from 'vitest'
import { createHandler } from './index.ts'

const open = async () => {
  const skein = await openSkein({ store: 'memory:', worker: false })
  const handler = createHandler(skein)
  const ask = async (method: string, path: string, body?: unknown) => {
    const headers = { 'content-type': 'application/json' }
    const json = body === undefined ? {} : { headers, body: JSON.stringify(body) }
    const response = await handler(new Request(`http://localhost${path}`, { method, ...json }))
    return { status: response.status, value: (await response.json()) as Readonly<Record<string, unknown>> }
  }
  return { ask, [Symbol.asyncDispose]: () => skein.close() }
}
const options = { prompt: '```\n{{item}}\n```', schema: { type: 'integer' }, model: 'demo/echo' }

describe('maps over HTTP', () => {
  it('begin at once, are asked after, and page through their results', async () => {
    await using server = await open()
    const begun = await server.ask('POST', '/v1/maps', { ...options, inputs: [1, 2, 3] })
    expect([begun.status, begun.value['total'], begun.value['kind']]).toEqual([202, 3, 'llm'])
    const path = `/v1/maps/${String(begun.value['map'])}`
    await expect.poll(async () => (await server.ask('GET', path)).value['state']).toBe('ended')
    const seen: unknown[] = []
    for (let after: number | undefined = 0; after !== undefined;) {
      const { value } = await server.ask('GET', `${path}/results?limit=2&after=${after}`)
      seen.push(...(value['items'] as { output: unknown }[]).map(({ output }) => output))
      after = value['next'] as number | undefined
    }
    expect(seen.sort()).toEqual([1, 2, 3])
    expect(await server.ask('POST', `${path}/resume`)).toMatchObject({ status: 202, value: { state: 'ended', succeeded: 3 } })
  })

  it.each([
    [{ inputs: [1], prompt: 3 }, ['prompt']],
    [{ inputs: [1], tools: [] }, ['tools']],
    [{ inputs: [1], concurrency: 1_000 }, ['concurrency']],
    [{ inputs: [1], maxTurns: 3 }, ['maxTurns']],
  ])('refuses %j', async (more, paths) => {
    await using server = await open()
    const { status, value } = await server.ask('POST', '/v1/maps', { ...options, ...more })
    const { details } = value['error'] as { details: { issues: { path: string }[] } }
    expect([status, details.issues.map(({ path }) => path)]).toEqual([400, paths])
  })

  it('knows no other map', async () => {
    await using server = await open()
    const id = 'map_01HF7YAT000000000000000000'
    for (const [method, path] of [
      ['GET', `/v1/maps/${id}`],
      ['GET', `/v1/maps/${id}/results`],
      ['POST', `/v1/maps/${id}/resume`],
    ] as const)
      expect((await server.ask(method, path)).status).toBe(404)
    expect((await server.ask('GET', '/v1/maps/nonsense')).status).toBe(400)
  })
})
