import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ScriptedModel, scriptedModel } from '#models'
import { expect } from 'vitest'
import { verifies } from '#verifies'
import { type Run, tool } from './agent-talk.ts'
import { freshFolder, onEveryStore } from './stores.ts'

const thinker = (steps: Parameters<typeof scriptedModel>[0]): ScriptedModel =>
  scriptedModel(steps, { info: { capabilities: { reasoning: true } } })

async function underWay(run: Run): Promise<void> {
  for await (const { type } of run) if (type === 'text_delta') return
}

/** Of each request: the system prompt, how much is thought, and the tools. */
const told = ({ requests }: ScriptedModel): unknown[] =>
  requests.map(({ system, thinking, tools }) => [
    system,
    thinking,
    tools.map(({ name }) => name).filter(name => /^(old|new|host)$/.test(name)),
  ])

onEveryStore('a run that is carried on', place => {
  verifies('P10 P30 A33', 'has the thinking, system and tools that held when it began; the next has those of now', async () => {
    const at = await place()
    const host = tool('host', () => 1)
    const first = thinker([{ text: 'half', hang: true }])
    const gear = { tools: [tool('old', () => 1)], thinking: 'low', system: 'One.' } as const
    const session = await (await at.open({ tools: [host] })).sessions.create({ ...gear, modelOverride: first })
    await underWay(session.send('go'))
    await Promise.all([session.setSystem('Two.'), session.setThinking('high')])
    await session.close({ graceMs: 1 })
    const model = thinker(['carried on', 'anew'])
    const now = { modelOverride: model, tools: [tool('old', () => 1), tool('new', () => 1)], system: 'Three.' }
    const revived = await (await at.open({ tools: [host] })).sessions.open(session.id, now)
    const { run } = await revived.recover({ apply: true })
    expect(await run?.result()).toMatchObject({ status: 'done', text: 'carried on' })
    await revived.send('and now').result()
    const began = ['One.', 'low', ['old', 'host']]
    expect(told(first)).toEqual([began])
    expect(told(model)).toEqual([began, ['Three.', 'high', ['old', 'new', 'host']]])
  })

  verifies('A54 P30', 'sends the same prompt, though files and settings say something else by now', async () => {
    const at = await place()
    const root = freshFolder()
    const [home, cwd] = [join(root, 'home'), join(root, 'work')]
    const config = join(home, '.config', 'skein')
    for (const folder of [config, cwd]) mkdirSync(folder, { recursive: true })
    const say = (text: string, thinking: string): void => {
      writeFileSync(join(cwd, 'AGENTS.md'), text)
      writeFileSync(join(config, 'config.toml'), `thinking = "${thinking}"\n`)
    }
    say('Plant oaks.', 'low')
    const env = { HOME: home }
    const first = thinker([{ text: 'half', hang: true }])
    const session = await (await at.open({ env })).sessions.create({ cwd, modelOverride: first })
    await underWay(session.send('go'))
    await session.close({ graceMs: 1 })
    say('Plant elms.', 'high')
    const model = thinker(['carried on', 'anew'])
    const revived = await (await at.open({ env })).sessions.open(session.id, { modelOverride: model })
    await (await revived.recover({ apply: true })).run?.result()
    await revived.send('and now').result()
    const [began] = told(first) as string[][]
    expect(began?.[0]).toContain('Plant oaks.')
    const [carried, next] = told(model) as string[][]
    expect(carried).toEqual(began)
    expect([next?.[0]?.includes('Plant elms.'), next?.[1]]).toEqual([true, 'high'])
  })

  verifies('A54', 'without a prompt gets none', async () => {
    const at = await place()
    const first = thinker([{ text: 'half', hang: true }])
    const session = await (await at.open()).sessions.create({ modelOverride: first })
    await underWay(session.send('go'))
    await session.close({ graceMs: 1 })
    const model = thinker(['carried on'])
    const revived = await (await at.open()).sessions.open(session.id, { modelOverride: model, system: 'Now there is one.' })
    await (await revived.recover({ apply: true })).run?.result()
    expect(told(model)).toEqual([[null, 'medium', []]])
  })
})
