import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

const conditions = ['skein-source', 'module', 'node', 'development|production']
const source = { resolve: { conditions }, ssr: { resolve: { conditions } } }
const withPostgres = { globalSetup: ['test/postgres/global-setup.ts'], hookTimeout: 120_000 }
const withChildren = { ...withPostgres, globalSetup: [...withPostgres.globalSetup, 'test/bundle/global-setup.ts'] }

type Test = NonNullable<TestProjectInlineConfiguration['test']>
const project = (name: string, include: string[], test: Test = {}): TestProjectInlineConfiguration => ({
  ...source,
  // A poll waits for what must come; how soon is a matter of the machine.
  test: { name, include, expect: { poll: { timeout: 60_000, interval: 10 } }, ...test },
})

const report = process.env['SKEIN_TEST_REPORT']

export default defineConfig({
  test: {
    // Tests wait about as much as they compute: one worker less than processors, the default, leaves a small machine idle.
    maxWorkers: availableParallelism() + 1,
    // What the processes and threads of tests compiled, kept for the next: one starts in half of the time.
    env: { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(import.meta.dirname, 'node_modules/.cache/node') },
    ...(report === undefined ? {} : { reporters: ['default', ['json', { outputFile: report }]] }),
    projects: [
      project('unit', ['src/**/*.test.ts'], { exclude: ['src/{stores,server,cli}/**'], isolate: false, testTimeout: 120_000 }),
      project('edges', ['src/{stores,server,cli}/**/*.test.ts'], { ...withPostgres, testTimeout: 120_000 }),
      project('rules', ['test/*.test.ts'], { testTimeout: 120_000, hookTimeout: 120_000 }),
      project('whole', ['test/*/**/*.test.ts'], { ...withChildren, exclude: ['test/{crash,package}/**'], testTimeout: 300_000 }),
      project('package', ['test/package/**/*.test.ts'], { testTimeout: 300_000, hookTimeout: 300_000 }),
      project('crash', ['test/crash/**/*.test.ts'], { ...withChildren, testTimeout: 1_800_000 }),
    ],
  },
})
