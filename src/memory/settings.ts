import { isObject } from '#kernel'
import type { Archiver } from './archiver.ts'
import { badSetting, type CommitPolicyInput, type Policy, readPolicy, readWhole } from './commit-policy.ts'
import type { Extractor } from './extractor.ts'
import type { Embedder } from './recall-vectors.ts'

/** What is measured of an overview, and where it is kept. */
export type QualityPlace = 'off' | 'job' | 'archive'

/** `openSkein({ memory })`. What is absent or null has its default. */
export interface MemorySettings {
  /** When what is live is sealed by itself. Default, once `memory` is given: by tokens, messages, age and idleness. */
  readonly commit?: CommitPolicyInput | null
  /** Who writes overviews. `fallback` (default) needs no model; `llm` asks the default model. */
  readonly archiver?: 'fallback' | 'llm' | Archiver | null
  /** Who learns. `rules` (default) needs no model; `off`: nothing is learnt. */
  readonly extractor?: 'rules' | 'llm' | 'off' | Extractor | null
  readonly quality?: QualityPlace | null
  /** How many archives are left after a merge, and how many begin one. Default 10 and 15. */
  readonly maxArchives?: number | null
  readonly mergeAt?: number | null
  readonly embedder?: Embedder | null
  /** Profile, state and recall in contexts without the view of archives. */
  readonly inject?: boolean | null
}

export interface Memory {
  readonly configured: boolean
  readonly commit: Policy
  readonly archiver: 'fallback' | 'llm' | Archiver
  readonly extractor: 'rules' | 'llm' | 'off' | Extractor
  readonly quality: QualityPlace
  readonly maxArchives: number
  readonly mergeAt: number
  readonly embedder: Embedder | undefined
  readonly inject: boolean
}

const known = ['commit', 'archiver', 'extractor', 'quality', 'maxArchives', 'mergeAt', 'embedder', 'inject']

/** Throws `config.invalid` with the field. Without `memory` nothing is sealed by itself. Laws M19, M33. */
export function readMemory(value: MemorySettings | undefined): Memory {
  if (value !== undefined && !isObject(value)) throw badSetting('memory', 'Expected an object.')
  const given: MemorySettings = value ?? {}
  for (const key of Object.keys(given))
    if (!known.includes(key)) throw badSetting(`memory.${key}`, `Unknown; expected ${known.join(', ')}.`)
  return {
    configured: value !== undefined,
    commit: value === undefined ? 'manual' : readPolicy(given.commit, 'memory.commit'),
    archiver: readArchiver(given.archiver),
    extractor: readExtractor(given.extractor),
    quality: oneOf(given.quality ?? 'off', ['off', 'job', 'archive'], 'memory.quality'),
    maxArchives: readWhole(given.maxArchives ?? 10, 'memory.maxArchives', 1),
    mergeAt: readWhole(given.mergeAt ?? 15, 'memory.mergeAt', 1),
    embedder: readEmbedder(given.embedder),
    inject: readFlag(given.inject ?? false, 'memory.inject'),
  }
}

function oneOf<T extends string>(value: unknown, words: readonly T[], path: string): T {
  const found = words.find(word => word === value)
  if (found === undefined) throw badSetting(path, `Expected one of ${words.join(', ')}.`)
  return found
}

function readFlag(value: unknown, path: string): boolean {
  if (typeof value !== 'boolean') throw badSetting(path, 'Expected true or false.')
  return value
}

function readArchiver(value: MemorySettings['archiver']): Memory['archiver'] {
  if (value === undefined || value === null) return 'fallback'
  if (typeof value === 'string') return oneOf<'fallback' | 'llm'>(value, ['fallback', 'llm'], 'memory.archiver')
  const { id, maxInputTokens, write } = value as Partial<Record<keyof Archiver, unknown>>
  if (typeof id !== 'string' || id === '' || typeof write !== 'function')
    throw badSetting('memory.archiver', 'Expected fallback, llm, or an archiver with an id and write.')
  if (maxInputTokens !== undefined) readWhole(maxInputTokens, 'memory.archiver.maxInputTokens', 1)
  return value
}

function readExtractor(value: MemorySettings['extractor']): Memory['extractor'] {
  if (value === undefined || value === null) return 'rules'
  if (typeof value === 'string') return oneOf<'rules' | 'llm' | 'off'>(value, ['rules', 'llm', 'off'], 'memory.extractor')
  const { name, version, extract } = value as Partial<Record<keyof Extractor, unknown>>
  if (typeof name !== 'string' || name === '' || typeof version !== 'string' || version === '' || typeof extract !== 'function')
    throw badSetting('memory.extractor', 'Expected rules, llm, off, or an extractor with a name, a version and extract.')
  return value
}

function readEmbedder(value: MemorySettings['embedder']): Embedder | undefined {
  if (value === undefined || value === null) return undefined
  const { id, embed } = value as Partial<Record<keyof Embedder, unknown>>
  if (typeof id !== 'string' || id === '' || typeof embed !== 'function')
    throw badSetting('memory.embedder', 'Expected an embedder with an id and embed.')
  return value
}

/** What a session is created with. Throws `config.invalid` with the field, before any effect. */
export function checkOwnMemory(value: unknown): void {
  if (value === undefined) return
  if (!isObject(value)) throw badSetting('memory', 'Expected an object.')
  for (const key of Object.keys(value))
    if (key !== 'commit') throw badSetting(`memory.${key}`, 'Unknown for a session; expected commit.')
  readPolicy(value['commit'], 'memory.commit')
}
