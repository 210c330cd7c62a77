import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { findViolations } from './architecture/find-violations.ts'
import { readImports } from './architecture/read-imports.ts'
import { rooms, singleFiles } from './architecture/rooms.ts'

const repository = fileURLToPath(new URL('..', import.meta.url))
const src = join(repository, 'src')
const copy = mkdtempSync(join(tmpdir(), 'skein-rooms-'))
cpSync(src, copy, { recursive: true })
afterAll(() => rmSync(copy, { recursive: true, force: true }))
const before = new Set(findViolations(copy))

/** What planting files in a copy of the source adds to the violations. */
function violationsOf(planted: Readonly<Record<string, string>>): string[] {
  for (const [file, text] of Object.entries(planted)) {
    mkdirSync(join(copy, dirname(file)), { recursive: true })
    writeFileSync(join(copy, file), text)
  }
  const added = findViolations(copy).filter(line => !before.has(line))
  for (const file of Object.keys(planted)) rmSync(join(copy, file))
  return added
}

describe('the rooms', () => {
  verifies('H24', 'each room imports only rooms above it, by its name, and no files import each other', () => {
    expect(findViolations(src)).toEqual([])
  })

  it('are what package.json names, each by its index.ts', () => {
    const { imports } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      imports: Record<string, unknown>
    }
    const expected = Object.keys(rooms)
      .filter(name => name !== 'index')
      .map(name => [`#${name}`, singleFiles.includes(name) ? name : `${name}/index`] as const)
      .map(([name, path]) => [name, { 'skein-source': `./src/${path}.ts`, default: `./dist/${path}.js` }])
    const { '#verifies': _, ...named } = imports
    expect(Object.keys(named).sort()).toEqual(expected.map(([name]) => name).sort())
    expect(named).toMatchObject(Object.fromEntries(expected))
  })
})

describe('a planted fault', () => {
  const faults: readonly (readonly [string, Record<string, string>, string])[] = [
    [
      'an upward import',
      { 'kernel/planted.ts': "import { x } from '#journal'" },
      'kernel/planted.ts: imports #journal, on which kernel may not lean',
    ],
    [
      'an upward import of types',
      { 'session/planted.ts': "import type { X } from '#agent'" },
      'session/planted.ts: imports #agent, on which session may not lean',
    ],
    [
      'an upward type in a signature',
      { 'session/planted.ts': "export type X = import('#agent').Y" },
      'session/planted.ts: imports #agent, on which session may not lean',
    ],
    [
      'an upward re-export',
      { 'journal/planted.ts': "export { x } from '#jobs'" },
      'journal/planted.ts: imports #jobs, on which journal may not lean',
    ],
    [
      'a climb',
      { 'journal/planted.ts': "import { x } from '../kernel/ids.ts'" },
      'journal/planted.ts: imports ../kernel/ids.ts, which climbs',
    ],
    [
      'a climb in a test',
      { 'journal/planted.test.ts': "import { x } from '../kernel/ids.ts'" },
      'journal/planted.test.ts: imports ../kernel/ids.ts, which climbs',
    ],
    [
      'a cycle of three',
      {
        'kernel/a.ts': "import './b.ts'",
        'kernel/b.ts': "import type { C } from './c.ts'",
        'kernel/c.ts': "export { a } from './a.ts'",
      },
      'kernel/a.ts + kernel/b.ts + kernel/c.ts: import each other',
    ],
    ['a file that imports itself', { 'kernel/a.ts': "import './a.ts'" }, 'kernel/a.ts: import each other'],
    [
      'a room by a side door',
      { 'journal/planted.ts': "import { x } from '#kernel/ids'" },
      'journal/planted.ts: imports #kernel/ids, which is no room',
    ],
    [
      'the own room by its front door',
      { 'journal/planted.ts': "import { x } from '#journal'" },
      'journal/planted.ts: imports #journal, which is its own room',
    ],
    [
      'a file that does not exist',
      { 'kernel/planted.ts': "import './nowhere.ts'" },
      'kernel/planted.ts: imports ./nowhere.ts, which does not exist',
    ],
    [
      'Node in the core',
      { 'session/planted.ts': "import 'node:fs'" },
      'session/planted.ts: imports node:fs, but only the edges touch Node',
    ],
    [
      'more of Node in the kernel',
      { 'kernel/planted.ts': "import 'node:os'" },
      'kernel/planted.ts: imports node:os, but only the edges touch Node',
    ],
    [
      'a package in the core',
      { 'session/planted.ts': "import { z } from 'zod'" },
      'session/planted.ts: imports zod, a package on which session may not lean',
    ],
    [
      'an unlisted late load',
      { 'models/planted.ts': "await import('ai')" },
      'models/planted.ts: imports ai, which is not on the list of what is loaded later',
    ],
    [
      'a computed late load',
      { 'models/planted.ts': 'await import(name)' },
      'models/planted.ts: imports ?, which is not on the list of what is loaded later',
    ],
    [
      'values of the wiring in the server',
      { 'server/planted.ts': "import { openSkein } from '#skein'" },
      'server/planted.ts: imports #skein, of which server may have types alone',
    ],
    ['an unknown folder', { 'helpers/planted.ts': '' }, 'helpers/planted.ts: lies in no room'],
    ['an unknown store', { 'stores/mysql/index.ts': '' }, 'stores/mysql/index.ts: lies in no room'],
    ['a loose file', { 'planted.ts': '' }, 'planted.ts: lies in no room'],
    ['a name in camel case', { 'kernel/plantedFile.ts': '' }, 'kernel/plantedFile.ts: is not a kebab-case .ts file'],
  ]
  for (const [name, planted, violation] of faults) {
    verifies('H24', `${name} is found`, () => {
      expect(violationsOf(planted)).toContain(violation)
    })
  }

  it('is not seen where none is: types of the wiring in the server, Node at an edge, imports in comments and strings', () => {
    const planted = {
      'server/planted.ts': "import type { Skein } from '#skein'\nimport { type X } from '#skein'\nimport 'node:http'",
      'kernel/planted.ts': "// import '#journal'\nexport const text = `import '#journal'`",
    }
    expect(violationsOf(planted)).toEqual([])
  })
})

describe('reading imports', () => {
  it('tells values, types and late loads apart', () => {
    const text = `
      import a, { type B } from 'one'
      import { type C, type D } from 'two'
      import type E from 'three'
      import * as f from 'four'
      import 'five'
      export * from 'six'
      export type { G } from 'seven'
      export { h, type I } from 'eight'
      type J = import('nine').K
      const l = await import('ten')
      import m = require('eleven')`
    expect(readImports('x.ts', text).map(({ kind, specifier }) => `${specifier} ${kind}`)).toEqual([
      'one values',
      'two types',
      'three types',
      'four values',
      'five values',
      'six values',
      'seven types',
      'eight values',
      'nine types',
      'ten later',
      'eleven values',
    ])
  })
})
