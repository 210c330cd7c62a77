import { defineConfig } from 'vitest/config'

const conditions = ['source', 'module', 'node', 'development|production']
const postgres = ['test/postgres/global-setup.ts']
const shared = { resolve: { conditions }, ssr: { resolve: { conditions } } }

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: { name: 'unit', include: ['src/**/*.test.ts'], exclude: ['src/{stores,server,cli}/**'], isolate: false },
      },
      {
        ...shared,
        test: {
          name: 'edges',
          include: ['src/{stores,server,cli}/**/*.test.ts'],
          globalSetup: postgres,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'whole',
          include: ['test/**/*.test.ts'],
          exclude: ['test/crash/**'],
          globalSetup: postgres,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'crash',
          include: ['test/crash/**/*.test.ts'],
          globalSetup: postgres,
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
