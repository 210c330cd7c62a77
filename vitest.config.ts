import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

const conditions = ['skein-source', 'module', 'node', 'development|production']
const source = { resolve: { conditions }, ssr: { resolve: { conditions } } }
const withPostgres = { globalSetup: ['test/postgres/global-setup.ts'], hookTimeout: 120_000 }

type Test = NonNullable<TestProjectInlineConfiguration['test']>
const project = (name: string, include: string[], test: Test = {}): TestProjectInlineConfiguration => ({
  ...source,
  // A poll waits for what must come; how soon is a matter of the machine.
  test: { name, include, expect: { poll: { timeout: 20_000, interval: 10 } }, ...test },
})

const report = process.env['SKEIN_TEST_REPORT']

export default defineConfig({
  test: {
    ...(report === undefined ? {} : { reporters: ['default', ['json', { outputFile: report }]] }),
    projects: [
      project('unit', ['src/**/*.test.ts'], { exclude: ['src/{stores,server,cli}/**'], isolate: false, testTimeout: 60_000 }),
      project('edges', ['src/{stores,server,cli}/**/*.test.ts'], { ...withPostgres, testTimeout: 60_000 }),
      project('rules', ['test/*.test.ts'], { testTimeout: 60_000, hookTimeout: 60_000 }),
      project('whole', ['test/*/**/*.test.ts'], { ...withPostgres, exclude: ['test/{crash,package}/**'], testTimeout: 120_000 }),
      project('package', ['test/package/**/*.test.ts'], { testTimeout: 120_000, hookTimeout: 240_000 }),
      project('crash', ['test/crash/**/*.test.ts'], { ...withPostgres, testTimeout: 600_000 }),
    ],
  },
})
