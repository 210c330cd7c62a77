import type { JobWork } from '#jobs'
import type { Change, SessionRow } from '#journal'
import type { ConnectedModel } from '#models'
import type { Runtime } from '#session'
import type { InjectionPort } from './commit-ports.ts'
import { embedKind, embedLater, embedWork } from './embed-job.ts'
import { Extraction, type ExtractorChoice } from './extraction.ts'
import { extractionWork, type ExtractionWorkParts } from './extraction-work.ts'
import { profileText, recallText } from './inject.ts'
import { extractKind } from './ranges.ts'
import { Recall } from './recall.ts'
import type { Embedder } from './recall-vectors.ts'

export interface Learning {
  readonly recall: Recall
  readonly extraction: Extraction
  /** What a session is shown of what was learnt. */
  readonly injection: Pick<InjectionPort, 'profile' | 'recall'>
  readonly works: Readonly<Record<string, JobWork>>
}

/** Wires all that learns and recalls, for all tenants of one opening. */
export function openLearning(parts: {
  readonly runtime: Runtime
  readonly extractor: ExtractorChoice
  readonly embedder: Embedder | undefined
  connect(tenant: string, row: SessionRow): Promise<ConnectedModel>
  readonly tell: ExtractionWorkParts['tell']
}): Learning {
  const { runtime, extractor, embedder, connect, tell } = parts
  const recall = new Recall({ embedder })
  const alongside = (owner: string): Change[] => [embedLater(runtime.ids, owner)]
  const own = typeof extractor === 'object' ? extractor : undefined
  return {
    recall,
    extraction: new Extraction(runtime, extractor),
    injection: {
      profile: (core, row) => profileText(recall, core.store, row),
      recall: (core, row, query) => recallText(recall, core.store, row, query),
    },
    works: {
      [extractKind]: extractionWork({ runtime, recall, own, connect, tell, ...(embedder === undefined ? {} : { alongside }) }),
      ...(embedder === undefined ? {} : { [embedKind]: embedWork(runtime, embedder) }),
    },
  }
}
