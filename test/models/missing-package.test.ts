import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')

const script = `
import { createModels } from '#models'
const models = createModels({ env: { ANTHROPIC_API_KEY: 'k', GEMINI_API_KEY: 'k' } })
const told = {}
for (const reference of ['sonnet', 'gemini-pro', 'demo/echo']) {
  told[reference] = await models.connect(reference).then(model => model.modelId, error => [error.code, error.message])
}
console.log(JSON.stringify(told))
`

it('where no third-party package is installed, models load, the demo works, and a provider names what to install', async () => {
  const bare = await mkdtemp(join(tmpdir(), 'skein-bare-'))
  try {
    await cp(join(root, 'package.json'), join(bare, 'package.json'))
    for (const room of ['kernel', 'journal', 'models'])
      await cp(join(root, 'src', room), join(bare, 'src', room), { recursive: true })
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, ['--conditions=skein-source', '--input-type=module', '--eval', script], {
      cwd: bare,
    })
    expect(JSON.parse(stdout)).toEqual({
      sonnet: ['model.provider_missing', expect.stringContaining('npm install @ai-sdk/anthropic')],
      'gemini-pro': ['model.provider_missing', expect.stringContaining('npm install @ai-sdk/google')],
      'demo/echo': 'echo',
    })
  } finally {
    await rm(bare, { recursive: true, force: true })
  }
})
