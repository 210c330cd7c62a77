import type { JobWork } from '#jobs'
import { deliveryWork } from './deliver-job.ts'
import type { Front } from './desk.ts'
import type { Exchange } from './exchange.ts'
import { fireDue } from './fire.ts'
import { writeFileKind } from './outbox-row.ts'
import { fileAdapter } from './output-file.ts'
import { fireKind } from './schedule-row.ts'
import { gatewaySweepKind, sweepGateway } from './sweep.ts'

/** Housekeeping and what is due some day: nobody who waits for what was begun waits for these. */
export const unaskedKinds: readonly string[] = [fireKind, gatewaySweepKind]

/** What any process with a worker does for gateways, be they started there or not. */
export function gatewayWorks(
  frontOf: (tenant: string) => Front,
  exchangeOf: (tenant: string) => Exchange,
): Record<string, JobWork> {
  return {
    [writeFileKind]: writeFiles(frontOf),
    [fireKind]: {
      schema: 1,
      // A turn of a schedule may take as long as any.
      timeoutMs: 86_400_000,
      run: (job, signal) => fireDue(exchangeOf(job.tenant), job, signal),
    },
    [gatewaySweepKind]: {
      schema: 1,
      timeoutMs: 600_000,
      run: async job => ({ result: { ...(await sweepGateway(frontOf(job.tenant))) } }),
    },
  }
}

/** Writes what goes to `local`. */
export function writeFiles(frontOf: (tenant: string) => Front): JobWork {
  return deliveryWork(frontOf, ({ tenant, desk }) => fileAdapter(desk.outputFolder, tenant))
}
