import { cleanLine } from '#kernel'

/** What an agent may look up before it does something. */
export interface Skill {
  readonly name: string
  readonly description: string
  readonly path: string
}

/** Of an identity, in bytes. */
export const identityLength = 20_000
const descriptionLength = 500
const nameLength = 64

/** A file's text as it may stand in a section: it can't end the tags around it. */
export const fileSection = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(/<\/(?=\s*instructions\s*>)/gi, '<\\/')
    .replaceAll('\r\n', '\n')

/** Instructions, each in tags that name its file. */
export function instructionsSection(files: readonly { readonly path: string; readonly text: string }[]): string {
  if (files.length === 0) return ''
  const shown = files.map(({ path, text }) => `<instructions path="${attribute(path)}">\n${text}\n</instructions>`)
  return `# Instructions\nWhat the people here ask of agents; the nearest to the working directory stands last and goes first.\n\n${shown.join('\n\n')}` // prettier-ignore
}

export function skillsSection(skills: readonly Skill[]): string {
  if (skills.length === 0) return ''
  const lines = skills.map(({ name, description, path }) => `- ${name}: ${description} (${attribute(path)})`)
  return `# Skills\nRead a skill's file before you do what it is for.\n${lines.join('\n')}`
}

/** What the front of a `SKILL.md` says of it; `undefined` without a description. */
export function readSkill(text: string, folder: string, path: string): Skill | undefined {
  const front = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(text)?.[1]
  if (front === undefined) return undefined
  const description = cleanLine(memberOf(front, 'description') ?? '', descriptionLength)
  if (description === null) return undefined
  const name = cleanLine(memberOf(front, 'name') ?? folder, nameLength) ?? folder
  return { name, description, path }
}

/** A plain, quoted or folded text of a YAML front. */
function memberOf(front: string, member: string): string | undefined {
  const lines = front.split(/\r?\n/)
  const at = lines.findIndex(line => line.startsWith(`${member}:`))
  if (at < 0) return undefined
  const first = (lines[at] ?? '').slice(member.length + 1).trim()
  if (!/^[>|][+-]?$/.test(first) && first !== '') return first.replace(/^(["'])(.*)\1$/s, '$2')
  const more = lines.slice(at + 1)
  const end = more.findIndex(line => line.trim() !== '' && !/^\s/.test(line))
  return more
    .slice(0, end < 0 ? more.length : end)
    .map(line => line.trim())
    .join(' ')
    .trim()
}

const attribute = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll('&', '&amp;')
    .replaceAll('"', '&quot;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[\p{Cc}\s]/gu, ' ')
