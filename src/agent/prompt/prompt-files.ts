import { constants } from 'node:fs'
import { open, readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import { platform } from 'node:process'
import { fileSection, identityLength, readSkill, type Skill } from './file-sections.ts'

/** What files have to say to the agent of a session. */
export interface PromptFiles {
  readonly identity: string | null
  /** By path, the nearest to the session's folder last. */
  readonly instructions: readonly { readonly path: string; readonly text: string }[]
  readonly skills: readonly Skill[]
  /** What was found and not taken, and why. */
  readonly notices: readonly string[]
}

export const platformName: string = platform

const instructionNames = ['AGENTS.md', 'CLAUDE.md']
const fileBytes = 32_768
const allBytes = 131_072
const skillBytes = 8_192
const mostSkills = 100

/**
 * Reads instructions (the user's, then each folder's from the root to `cwd`, equal texts once), skills and the identity. A file that
 * is no text, leads elsewhere or finds no room any more is left out and told. Source: spec/agent.md 16.
 */
export async function readPromptFiles(cwd: string, userFolder: string | undefined): Promise<PromptFiles> {
  const notices: string[] = []
  const folders = foldersTo(cwd)
  const within = await repositoryOf(folders)
  const user = userFolder === undefined ? [] : [userFolder]
  const places = [
    ...user.map(folder => ({ folder, root: undefined })),
    ...folders.map(folder => ({ folder, root: within !== undefined && isInside(folder, within) ? within : folder })),
  ]
  const instructions: { path: string; text: string }[] = []
  const seen = new Set<string>()
  let room = allBytes
  for (const { folder, root } of places) {
    for (const name of instructionNames) {
      const path = join(folder, name)
      const found = await readText(path, root, fileBytes, notices)
      const text = found?.trim() ?? ''
      if (text === '' || seen.has(text)) continue
      seen.add(text)
      const size = Buffer.byteLength(text)
      if (size > room) {
        notices.push(`${path} is left out: the instructions of all files have at most ${allBytes} bytes.`)
        continue
      }
      room -= size
      instructions.push({ path, text: fileSection(text) })
    }
  }
  const skills = new Map<string, Skill>()
  for (const folder of [...user, ...folders.map(one => join(one, '.skein'))]) {
    const own = user.includes(folder)
    for (const skill of await skillsIn(join(folder, 'skills'), own, notices)) skills.set(skill.name, skill)
  }
  const identities = [...folders.map(one => join(one, '.skein')).reverse(), ...user]
  return {
    identity: await firstText(identities.map(folder => ({ path: join(folder, 'identity.md'), root: user.includes(folder) ? undefined : folder })), notices), // prettier-ignore
    instructions,
    skills: [...skills.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, mostSkills),
    notices,
  }
}

/** From the root to a folder. */
function foldersTo(cwd: string): string[] {
  const above = dirname(cwd)
  return above === cwd ? [cwd] : [...foldersTo(above), cwd]
}

/** The nearest folder that is a repository. */
async function repositoryOf(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders.toReversed()) if ((await stat(join(folder, '.git')).catch(() => undefined)) !== undefined) return folder // prettier-ignore
  return undefined
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !way.startsWith(sep)
}

async function firstText(
  places: readonly { readonly path: string; readonly root: string | undefined }[],
  notices: string[],
): Promise<string | null> {
  for (const { path, root } of places) {
    const text = (await readText(path, root, identityLength, notices))?.trim() ?? ''
    if (text !== '') return fileSection(text)
  }
  return null
}

/** Skills are folders with a `SKILL.md` whose front says what it is for. */
async function skillsIn(folder: string, own: boolean, notices: string[]): Promise<Skill[]> {
  const items = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const names = items.filter(item => item.isDirectory() || (own && item.isSymbolicLink())).map(({ name }) => name)
  const found: Skill[] = []
  for (const name of names.sort().slice(0, 10 * mostSkills)) {
    const path = join(folder, name, 'SKILL.md')
    const text = await readText(path, own ? undefined : folder, skillBytes, notices, true)
    if (text === undefined) continue
    const skill = readSkill(text, basename(dirname(path)), path)
    if (skill === undefined) notices.push(`${path} is left out: its front has no description.`)
    else found.push(skill)
  }
  return found
}

const { O_NONBLOCK, O_RDONLY } = constants

/** A text file of at most so many bytes, or its beginning; `undefined` where there is none. Links must not lead out of `root`. */
async function readText(
  path: string,
  root: string | undefined,
  max: number,
  notices: string[],
  beginning: boolean = false,
): Promise<string | undefined> {
  const leave = (why: string): undefined => void notices.push(`${path} is left out: ${why}.`)
  try {
    const real = await realpath(path)
    const isTheirs = root === undefined || (isInside(real, await realpath(root)) && /\.md$/i.test(real))
    if (!isTheirs) return leave('it leads elsewhere')
    // What is no file, such as a pipe that nobody writes to, must not be waited for.
    const file = await open(real, O_RDONLY | O_NONBLOCK)
    try {
      const found = await file.stat()
      if (!found.isFile()) return leave('it is no file')
      if (found.size > max && !beginning) return leave(`it has more than ${max} bytes`)
      const bytes = Buffer.alloc(Math.min(found.size, max))
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
      const text = bytes.subarray(0, bytesRead).toString('utf8')
      return text.includes('\0') ? leave('it is no text') : text
    } finally {
      await file.close()
    }
  } catch (error) {
    const { code } = error as { readonly code?: string }
    return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : leave(`it cannot be read (${code ?? 'unknown'})`)
  }
}
