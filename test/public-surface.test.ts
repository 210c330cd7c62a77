import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { readSurface, surfaceFile } from './surface/read-surface.ts'

const repository = fileURLToPath(new URL('..', import.meta.url))

describe('the public surface', () => {
  const surface = readSurface(repository)

  it('is what is checked in; a new name is a decision, then run npm run surface', () => {
    expect(surface).toEqual(JSON.parse(readFileSync(join(repository, surfaceFile), 'utf8')))
  })

  it('has names in every entry, and none that is called default', () => {
    for (const [entry, names] of Object.entries(surface)) {
      expect(names.length, entry).toBeGreaterThan(0)
      expect(names, entry).not.toContain('default')
    }
  })
})
