import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { findCycles } from './find-cycles.ts'
import { type Import, readImports } from './read-imports.ts'
import { edgeFiles, loadedLater, rooms, singleFiles } from './rooms.ts'

const fileName = /^[a-z0-9]+(-[a-z0-9]+)*(\.contract|\.property)?(\.test)?\.ts$/

/** What a source folder does that the table of rooms does not allow, one line each: `file: what`. Empty is well. */
export function findViolations(src: string): string[] {
  const files = readdirSync(src, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => posix.join(entry.parentPath.slice(src.length + 1), entry.name))
    .sort()
  const violations: string[] = []
  const graph = new Map<string, string[]>()
  const unused = new Map(Object.entries(loadedLater).map(([place, specifiers]) => [place, new Set(specifiers)]))
  for (const file of files) {
    const room = roomOf(file)
    const isTest = file.endsWith('.test.ts')
    if (room === undefined) violations.push(`${file}: lies in no room`)
    if (!fileName.test(posix.basename(file))) violations.push(`${file}: is not a kebab-case .ts file`)
    if (room === undefined || !file.endsWith('.ts')) continue
    const imports = readImports(file, readFileSync(posix.join(src, file), 'utf8'))
    for (const given of imports) {
      const fault = given.specifier.startsWith('.')
        ? relativeFault(file, given, files)
        : isTest
          ? undefined
          : packageFault(file, room, given)
      if (fault !== undefined) violations.push(`${file}: imports ${given.specifier}, ${fault}`)
      if (given.kind === 'later') unused.get(placeOf(file))?.delete(given.specifier)
    }
    if (!isTest)
      graph.set(
        file,
        imports.map(({ specifier }) => target(file, specifier)).filter(to => to !== undefined),
      )
  }
  for (const cycle of findCycles(graph)) violations.push(`${cycle.join(' + ')}: import each other`)
  for (const [place, specifiers] of unused) {
    if (!files.some(file => placeOf(file) === place)) continue
    for (const specifier of specifiers) violations.push(`${place}: no longer loads ${specifier}`)
  }
  for (const file of Object.keys(edgeFiles)) if (!files.includes(file)) violations.push(`${file}: an edge file that is gone`)
  return violations
}

function roomOf(file: string): string | undefined {
  const parts = file.split('/')
  if (parts.length === 1) return singleFiles.find(name => file === `${name}.ts` || file === `${name}.test.ts`)
  const name = parts[0] === 'stores' ? parts.slice(0, 2).join('/') : parts[0]
  return name !== undefined && parts.length > name.split('/').length && name in rooms && !singleFiles.includes(name)
    ? name
    : undefined
}

function relativeFault(file: string, { specifier }: Import, files: readonly string[]): string | undefined {
  if (specifier.split('/').includes('..')) return 'which climbs'
  const to = posix.join(posix.dirname(file), specifier)
  const isOpen = roomOf(to) === roomOf(file) || opensByPath(file, to)
  if (!isOpen) return 'which is another room'
  if (!files.includes(to)) return 'which does not exist'
  return to.endsWith('.test.ts') && !file.endsWith('.test.ts') ? 'which is a test' : undefined
}

/** The single files of `src/` lie side by side; contract suites are no part of their room's index, only of `testing.ts`. */
function opensByPath(file: string, to: string): boolean {
  const [from = '', room = ''] = [roomOf(file), roomOf(to)]
  if (!singleFiles.includes(from)) return false
  return singleFiles.includes(room)
    ? rooms[from]?.leansOn.includes(room) === true
    : from === 'testing' && to.endsWith('.contract.ts')
}

function packageFault(file: string, room: string, { specifier, kind }: Import): string | undefined {
  const { leansOn, typesOf = [], reaches = [] } = rooms[room] ?? { leansOn: [] }
  if (kind === 'later') {
    return loadedLater[placeOf(file)]?.includes(specifier) === true
      ? undefined
      : 'which is not on the list of what is loaded later'
  }
  if (specifier.startsWith('#')) {
    const name = specifier.slice(1)
    if (!(name in rooms)) return 'which is no room'
    // From a folder inside a room the front door is the only way up; that it is no cycle is seen below.
    if (leansOn.includes(name) || (name === room && file.slice(room.length + 1).includes('/'))) return undefined
    if (!typesOf.includes(name)) return name === room ? 'which is its own room' : `on which ${room} may not lean`
    return kind === 'types' ? undefined : `of which ${room} may have types alone`
  }
  const allowed = [...reaches, ...(edgeFiles[file] ?? [])]
  if (allowed.includes(specifier) || (specifier.startsWith('node:') && allowed.includes('node:*'))) return undefined
  if (allowed.some(name => !name.startsWith('node:') && specifier.startsWith(`${name}/`))) return undefined
  return specifier.startsWith('node:') ? 'but only the edges touch Node' : `a package on which ${room} may not lean`
}

/** The row of the list of late loads that a file belongs to. */
function placeOf(file: string): string {
  return file in loadedLater ? file : `${file.split('/')[0]}/`
}

function target(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('./')) return posix.join(posix.dirname(file), specifier)
  const name = specifier.slice(1)
  if (!specifier.startsWith('#') || !(name in rooms)) return undefined
  return singleFiles.includes(name) ? `${name}.ts` : `${name}/index.ts`
}
