import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const repository = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(join(repository, file), 'utf8')

/** Laws that have no test yet. Whoever writes one takes its law from this list, which ends empty. */
const pending: readonly string[] = []

/** Law ids of docs/laws.md, and whether each may stand without a test. */
const laws = new Map(
  [...read('docs/laws.md').matchAll(/^- \*\*([A-Z]\d+)\*\*( \[beyond\])?/gm)].map(([, id = '', beyond]) => [
    id,
    beyond !== undefined,
  ]),
)
/** Families of laws that the page tells; those of other letters are told elsewhere. */
const families = new Set([...laws.keys()].map(id => id[0]))

function filesUnder(folder: string): string[] {
  return readdirSync(join(repository, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name).slice(repository.length))
}

const isTest = (file: string): boolean =>
  (file.startsWith('test/') && file !== 'test/laws-coverage.test.ts') ||
  /\.(test|contract)\.ts$/.test(file) ||
  file.startsWith('src/journal/contract/')

const ids = /^[A-Z]\d+(,? [A-Z]\d+)*$/

/** Which files name each law, and the calls that name none: `verifies('J17', …)`, `law('J17 J18', …)`, `it('J17 · …')`. */
const named = new Map<string, string[]>()
const nameless: string[] = []
for (const file of [...filesUnder('src'), ...filesUnder('test')].filter(isTest)) {
  const text = read(file)
  for (const [, , name = ''] of text.matchAll(/\b(?:verifies|law)\(\s*(['"`])(.*?)\1/g))
    if (!ids.test(name)) nameless.push(`${file}: ${name}`)
  for (const [, , name = ''] of text.matchAll(/\b(?:verifies|law|it|describe)\(\s*(['"`])([A-Z]\d+(?:,? [A-Z]\d+)*)(?=\1| ·)/g))
    for (const id of name.split(/,? /)) named.set(id, [...(named.get(id) ?? []), file])
}

describe('the laws', () => {
  it('are 100: J1 to J50, S1 to S25, H1 to H25', () => {
    const expected = ['J', 'S', 'H'].flatMap(family =>
      Array.from({ length: family === 'J' ? 50 : 25 }, (_, n) => `${family}${n + 1}`),
    )
    expect([...laws.keys()]).toEqual(expected)
  })

  it('each have a test that names them, but for those beyond and those pending', () => {
    const untested = [...laws].flatMap(([id, beyond]) => (beyond || named.has(id) || pending.includes(id) ? [] : [id]))
    expect(untested).toEqual([])
  })

  it('are what tests name: none names a law that is not told, or no law at all', () => {
    expect(nameless).toEqual([])
    const unknown = [...named].filter(([id]) => families.has(id[0] ?? '') && !laws.has(id))
    expect(unknown).toEqual([])
  })

  it('are pending only while no test names them', () => {
    expect(pending.filter(id => named.has(id) || !laws.has(id))).toEqual([])
  })
})
