import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openSkein } from '#skein'
import { entryTypes } from '#journal'
import { compactKind } from '#session'
import { verifies } from '#verifies'
import { rowsUnder } from './read-page.ts'

const source = fileURLToPath(new URL('../../src', import.meta.url))

interface Row {
  readonly type: string
  readonly place: string
  readonly v: number
  readonly by: string
  readonly data: string
}

const rows: readonly Row[] = rowsUnder('format.md', 'Types').map(([type = '', place = '', v = '', by = '', data = '']) => ({
  type: type.replaceAll('`', ''),
  place,
  v: Number(v),
  by,
  data,
}))
const isLater = ({ by }: Row): boolean => by.startsWith('later: ')

/** Types that the code makes entries of: drafts, and what importers put on or beside the path. */
function writtenTypes(): Set<string> {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    file => file.endsWith('.ts') && !file.endsWith('.test.ts'),
  )
  const written = new Set<string>()
  for (const file of files)
    for (const [, type = ''] of readFileSync(join(source, file), 'utf8').matchAll(
      /(?:\bdraft|#path|#side)\(\s*'([a-z_]+)'|: Draft = \{\s*type: '([a-z_]+)'/g,
    ))
      if (type in entryTypes) written.add(type)
  return written
}

describe('the table of entry types', () => {
  verifies('S25', 'lists every type of the code, with its place and version, and no other', () => {
    const told = Object.fromEntries(rows.map(({ type, place, v }) => [type, { place, v }]))
    expect(told).toEqual(entryTypes)
    expect(rows.length).toBe(Object.keys(entryTypes).length)
  })

  verifies('S25', 'says of each type which verb or job writes it', () => {
    const nameless = rows.filter(({ by }) => !/`[a-zA-Z._]+`|\brun\b|\bjob\b/.test(by))
    expect(nameless).toEqual([])
  })

  verifies('S25', 'marks as later exactly the types that the code does not write', () => {
    const written = writtenTypes()
    expect(rows.filter(row => !isLater(row)).map(({ type }) => type)).toEqual(
      rows.map(({ type }) => type).filter(type => written.has(type)),
    )
  })

  it('describes the data of each type that is written, and of no other', () => {
    expect(rows.filter(row => isLater(row) === (row.data !== '')).map(({ type }) => type)).toEqual([])
  })

  it('names verbs that exist as the writers of what is written', async () => {
    await using skein = await openSkein({ store: 'memory:' })
    const session = await skein.sessions.create()
    const faces: Readonly<Record<string, object>> = {
      session,
      sessions: skein.sessions,
      operators: skein.operators,
      checkpoints: session.checkpoints,
      state: session.state,
      gateway: skein.gateway,
    }
    const missing = rows
      .filter(row => !isLater(row))
      .flatMap(({ type, by }) =>
        [...by.matchAll(/(?<!\bjob )`([a-z]+)\.([a-zA-Z]+)`/g)].flatMap(([, face = '', verb = '']) =>
          typeof (faces[face] as Record<string, unknown> | undefined)?.[verb] === 'function' ? [] : [`${type}: ${face}.${verb}`],
        ),
      )
    expect(missing).toEqual([])
  })

  it('names jobs that exist', () => {
    const named = rows.flatMap(({ by }) => [...by.matchAll(/\bjob `([a-z.]+)`/g)].map(([, kind]) => kind))
    expect([...new Set(named)]).toEqual([compactKind])
  })
})
