import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const repository = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(join(repository, file), 'utf8')

/** Laws that have no test yet, and why. Whoever writes one takes its law from this list, which ends empty. */
const pending: Readonly<Record<string, string>> = {}

/** The pages that tell laws, and how many there are of each family. */
const pages: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'laws.md': { J: 50, S: 25, H: 25 },
  'laws-context.md': { C: 93 },
  'laws-gateway.md': { G: 91 },
  'laws-models.md': { P: 34 },
  'laws-memory.md': { M: 79, Q: 16 },
  'laws-agent.md': { A: 63 },
}

interface Law {
  readonly id: string
  readonly page: string
  /** May stand without a test. */
  readonly beyond: boolean
}

const told: readonly Law[] = Object.keys(pages).flatMap(page =>
  [...read(`docs/${page}`).matchAll(/^- \*\*([A-Z]\d+)\*\*( \[beyond\])?/gm)].map(([, id = '', beyond]): Law => ({
    id,
    page,
    beyond: beyond !== undefined,
  })),
)
const laws = new Set(told.map(({ id }) => id))
/** Families of laws that the pages tell; those of other letters are told elsewhere. */
const families = new Set(told.map(({ id }) => id[0]))

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
  it.each(Object.entries(pages))('of %s are all there, once each', (page, counts) => {
    const expected = Object.entries(counts).flatMap(([family, count]) =>
      Array.from({ length: count }, (_, n) => `${family}${n + 1}`),
    )
    const found = told.filter(law => law.page === page).map(({ id }) => id)
    expect([...found].sort()).toEqual([...expected].sort())
  })

  it('each have a test that names them, but for those beyond and those pending', () => {
    const untested = told.flatMap(({ id, beyond }) => (beyond || named.has(id) || id in pending ? [] : [id]))
    expect(untested).toEqual([])
  })

  it('are what tests name: none names a law that is not told, or no law at all', () => {
    expect(nameless).toEqual([])
    const unknown = [...named].filter(([id]) => families.has(id[0] ?? '') && !laws.has(id))
    expect(unknown).toEqual([])
  })

  it('are pending only while no test names them', () => {
    expect(Object.keys(pending).filter(id => named.has(id) || !laws.has(id))).toEqual([])
  })
})
