import type { Clock } from '#kernel'
import type { ConnectedModel } from '#models'
import type { Archiver } from './archiver.ts'
import { modelArchiver } from './archiver-llm.ts'
import type { ExtractionPort, InjectionPort } from './commit-ports.ts'
import type { Learning } from './extraction-open.ts'
import type { RefreshParts } from './refresh-job.ts'
import type { Memory } from './settings.ts'
import { shownState } from './archives-context-state.ts'

/** What the memory of all sessions of one opening stands on. */
export interface MemoryParts {
  readonly settings: Memory
  readonly extraction: ExtractionPort
  readonly injection: InjectionPort
  /** Who keeps the working state up; undefined: nobody, since no memory was asked for. */
  readonly refresh: RefreshParts | undefined
  /** Whether this process runs jobs. */
  readonly works: boolean
  /** The one that was chosen; undefined: the fallback. */
  archiver(): Promise<Archiver | undefined>
}

export function memoryParts({
  settings,
  learning,
  refresh,
  works,
  clock,
  connect,
}: {
  readonly settings: Memory
  readonly learning: Pick<Learning, 'extraction' | 'injection'>
  readonly refresh: RefreshParts
  readonly works: boolean
  readonly clock: Clock
  connect(): Promise<ConnectedModel>
}): MemoryParts {
  const { archiver } = settings
  return {
    settings,
    extraction: learning.extraction,
    injection: { ...learning.injection, state: shownState },
    refresh: settings.configured ? refresh : undefined,
    works,
    archiver: async () => {
      if (archiver === 'fallback') return undefined
      return archiver === 'llm' ? modelArchiver(await connect(), clock) : archiver
    },
  }
}
