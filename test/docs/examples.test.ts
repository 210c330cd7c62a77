import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { codeBlocks, pageExamples, printsOf, programOf, titleOf } from './code-blocks.ts'
import { readPage } from './read-page.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'skein-examples-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a program as a user would, in an empty folder, without a key, and with the network refused. Gives what it prints. */
async function printed(file: string): Promise<string> {
  const preloaded = ['resolve-skein.ts', 'offline.ts'].flatMap(name => ['--import', join(repository, 'test/docs', name)])
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=skein-source', ...preloaded, file], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder, NO_COLOR: '1' },
    timeout: 60_000,
  })
  return stdout
}

const examples = readdirSync(join(repository, 'examples')).filter(file => file.endsWith('.ts'))
const textOf = (example: string): string => readFileSync(join(repository, 'examples', example), 'utf8')

describe('running the examples', () => {
  for (const example of examples.filter(file => !pageExamples.some(page => file === `${page}.ts`)))
    verifies('H25', `${example} prints what it says`, async () => {
      expect(await printed(join(repository, 'examples', example))).toBe(printsOf(textOf(example)))
    })

  for (const page of pageExamples) {
    verifies('H25', `${page}.ts prints what stands below the pieces of its page`, async () => {
      const prints = codeBlocks(readPage(`${page}.md`)).map(block => block.prints)
      expect(prints.length).toBeGreaterThan(2)
      expect(await printed(join(repository, `examples/${page}.ts`))).toBe(prints.join(''))
    })

    it(`finds the code of the page in ${page}.ts, to the letter`, () => {
      expect(textOf(`${page}.ts`)).toBe(programOf(readPage(`${page}.md`), titleOf(page)))
    })
  }

  it('refuses the network', async () => {
    const file = join(folder, 'calls-out.mts')
    writeFileSync(file, `await fetch('http://192.0.2.1/').catch(error => console.log(error.cause.message))`)
    expect(await printed(file)).toBe('Refused to connect to 192.0.2.1.\n')
  })

  it('runs the code of the README, in an empty folder and without a key', async () => {
    const [block] = codeBlocks(readFileSync(join(repository, 'README.md'), 'utf8'))
    const file = join(folder, 'readme.mts')
    writeFileSync(file, block?.code ?? '')
    const text = await printed(file)
    expect(text).toMatch(/^You said: Hello!\{/)
    expect(text).toContain(`status: 'done'`)
  })

  it('runs the suite that the page about stores shows', async () => {
    const block = codeBlocks(readPage('stores.md')).find(({ code }) => code.includes('storeContract'))
    const file = join(folder, 'suite.mts')
    writeFileSync(file, block?.code ?? '')
    const text = await printed(file)
    expect(text).toMatch(/^. pass [1-9]\d+$/m)
    expect(text).toMatch(/^. fail 0$/m)
  })
})
