import { expect } from 'vitest'
import { verifies } from '#verifies'
import { loadDriver } from './driver.ts'

verifies('H21', 'opening Postgres without its driver says what to install', async () => {
  const missing = Object.assign(new Error("Cannot find package 'pg'"), { code: 'ERR_MODULE_NOT_FOUND' })
  await expect(loadDriver('postgres://localhost/x', () => Promise.reject(missing))).rejects.toMatchObject({
    code: 'store.driver_missing',
    message: expect.stringContaining('npm install pg@8.23.1') as string,
    cause: missing,
  })
})
