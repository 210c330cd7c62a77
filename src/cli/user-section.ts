import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { parse } from 'smol-toml'
import { findConfigFiles } from '#agent'
import { isObject, SkeinError } from '#kernel'
import type { Io } from './io.ts'

export interface UserSection {
  readonly file: string
  readonly section: Readonly<Record<string, unknown>>
}

/**
 * A section of the user's file as it stands there, for what is checked where Skein is opened; a project's file has no say in it.
 * Throws `config.invalid` for what is no table.
 */
export function readUserSection(
  name: 'gateway' | 'memory',
  { env, cwd }: Pick<Io, 'env' | 'cwd'>,
  file: string | undefined,
): UserSection | undefined {
  const { user } = findConfigFiles({ env, cwd, file, home: homedir() })
  if (user === undefined) return undefined
  let text: string
  try {
    text = readFileSync(user.file, 'utf8')
  } catch {
    // What is wrong with the file itself was said where all of it is read.
    return undefined
  }
  const section: unknown = parse(text)[name]
  if (section === undefined) return undefined
  if (!isObject(section)) throw new SkeinError('config.invalid', `${name}: Expected a table.`, { details: { key: name } })
  return { file: user.file, section }
}
