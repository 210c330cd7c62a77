import { SkeinError } from '#kernel'
import { checking } from './contract/checking.ts'
import { commits } from './contract/commits.ts'
import { entries } from './contract/entries.ts'
import { erasing } from './contract/erasing.ts'
import { jobs } from './contract/jobs.ts'
import { leases } from './contract/leases.ts'
import { modelling } from './contract/modelling.ts'
import { rows } from './contract/rows.ts'
import { searching } from './contract/searching.ts'
import { sessions } from './contract/sessions.ts'
import { tenants } from './contract/tenants.ts'
import { watching } from './contract/watching.ts'
import { type ContractRunner, type Law, type OpenContractStore, stage } from './contract/setting.ts'

export type { ContractRunner, ContractStore, OpenContractStore } from './contract/setting.ts'

const chapters: Readonly<Record<string, (law: Law) => void>> = {
  committing: commits,
  sessions,
  'entries and blobs': entries,
  leases,
  'views, watermarks, archives, routes, records, memories': rows,
  jobs,
  watching,
  searching,
  erasing,
  tenants,
  checking,
  'any commits': modelling,
}

/**
 * Everything that a store promises, as cases of a test runner: an adapter is whoever passes all of them. `open` gives each
 * case its store; `runner` is the `describe` and `it` to state them with, by default the global ones.
 * Throws `config.invalid` when there are none. Law J29.
 */
export function storeContract(name: string, open: OpenContractStore, runner: ContractRunner = globalRunner()): void {
  const { describe, it } = runner
  describe(`${name} as a store`, () => {
    for (const [title, chapter] of Object.entries(chapters)) {
      describe(title, () => {
        chapter((laws, text, run) => it(`${laws} · ${text}`, () => stage(open, run)))
      })
    }
  })
}

function globalRunner(): ContractRunner {
  const { describe, it } = globalThis as Partial<ContractRunner>
  if (describe === undefined || it === undefined) {
    throw new SkeinError(
      'config.invalid',
      "There is no global test runner. Hand one in: import { describe, it } from 'vitest' (or 'node:test') and storeContract(name, open, { describe, it }).",
    )
  }
  return { describe, it }
}
