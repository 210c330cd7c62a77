import { env as processEnv } from 'node:process'
import { aFlag, anObject, aText, invalidInput, isObject, listOf, oneOf, shape, systemClock, systemTimers } from '#kernel'
import { askTool } from './ask-tool.ts'
import { bashTool } from './bash-tool.ts'
import type { Tool } from './definition.ts'
import { editTool } from './edit-tool.ts'
import type { Desk } from './file-tool.ts'
import { grepTool } from './grep-tool.ts'
import { listTool } from './list-tool.ts'
import { Place } from './place.ts'
import { readTool } from './read-tool.ts'
import { keepPlace } from './tool-places.ts'
import { type WriteMode, writeTool } from './write-tool.ts'

export interface FileToolsOptions {
  /** Absolute, of a folder that exists: where paths begin and commands run. */
  readonly cwd: string
  /** Default `true`: files outside of `cwd` are refused. Shell commands are never confined. */
  readonly confine?: boolean
  /** What becomes of a file that exists and is written whole. Default `warn`. */
  readonly existing?: WriteMode
  /** Values by name that commands may be given; they are hidden in what commands say. Default: none. */
  readonly secrets?: Readonly<Record<string, string>>
  /** What commands see of the environment. Default: the process's, without what is named like a secret. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Which of them. Default: all. */
  readonly only?: readonly FileToolName[]
}

export const fileToolNames = ['read', 'ls', 'grep', 'write', 'edit', 'bash', 'ask_user'] as const
export type FileToolName = (typeof fileToolNames)[number]

const check = shape<FileToolsOptions>({
  cwd: aText,
  confine: aFlag,
  existing: oneOf('warn', 'requireRead', 'blockStale', 'deny'),
  secrets: (value, path) => {
    if (!isObject(value) || Object.values(value).some(secret => typeof secret !== 'string'))
      throw invalidInput(path, 'Expected texts by name.')
  },
  env: anObject,
  only: listOf(oneOf(...fileToolNames), 'tools'),
})

/**
 * The tools that work on files: read, ls, grep, write, edit, bash, ask_user. Throws `config.invalid` if `cwd` is no folder.
 * Source: spec/agent.md 10.
 */
export function fileTools(options: FileToolsOptions): readonly Tool[] {
  check(options)
  const { confine = true, existing = 'warn', secrets = {}, env = openEnvironment(), only = fileToolNames } = options
  const place = new Place(options.cwd, { confine })
  const desk: Desk = { place, seen: new Map(), timers: systemTimers, now: () => systemClock.now() }
  const all: readonly Tool[] = [
    readTool(desk),
    listTool(desk),
    grepTool(desk),
    writeTool(desk, existing),
    editTool(desk),
    bashTool(desk, { secrets, env }),
    askTool(),
  ]
  return keepPlace(
    all.filter(({ name }) => only.some(wanted => wanted === name)),
    place,
  )
}

const secretName = /KEY|TOKEN|SECRET|PASSW|CREDENTIAL|PRIVATE/i

/** Provider keys and the like stay with this process: a command could print them into the session. */
export function openEnvironment(): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(processEnv).filter(([name]) => !secretName.test(name)))
}
