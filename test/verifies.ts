import { it } from 'vitest'

/** Ties a test to a law of the specification; `test/laws-coverage.test.ts` fails for a law without a test and for a test without a law. */
export function verifies(laws: string, text: string, run: () => unknown, timeoutMs?: number): void {
  it(`${laws} · ${text}`, run as () => Promise<void>, timeoutMs)
}
