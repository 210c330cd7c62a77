import { describe, expect, it } from 'vitest'
import { errorRules } from '#kernel'
import { configKeys } from '../../src/agent/config-keys.ts'
import { madeParts, withParts } from './made-parts.ts'
import { quotedIn, raisedErrors } from './raised-errors.ts'
import { readPage } from './read-page.ts'
import { toldConfig } from './told-config.ts'
import { toldErrors } from './told-errors.ts'

describe('the parts of pages that are made', () => {
  it.each(Object.entries(madeParts))('of %s are up to date; npm run docs writes them', (page, parts) => {
    expect(readPage(page)).toBe(withParts(readPage(page), parts))
  })
})

describe('the error page', () => {
  it('has every code that the source raises, and the details that it gives', () => {
    const raised = raisedErrors()
    expect(raised.length).toBeGreaterThan(80)
    const untold = raised.flatMap(({ file, codes, details }) =>
      codes.flatMap(code => {
        const known: readonly string[] | undefined =
          code in toldErrors ? toldErrors[code as keyof typeof toldErrors].details : undefined
        return details.filter(name => known?.includes(name) !== true).map(name => `${file}: ${code} ${name}`)
      }),
    )
    expect(untold).toEqual([])
  })

  it('keeps codes that nothing raises yet apart', () => {
    const quoted = quotedIn(Object.keys(errorRules))
    expect(quoted.has('session.busy')).toBe(true)
    expect(quoted.size).toBeLessThanOrEqual(Object.keys(errorRules).length)
  })
})

describe('the configuration page', () => {
  it('says of each key what it is for, and of no other', () => {
    expect(Object.keys(toldConfig)).toEqual(configKeys.map(({ path }) => path))
  })
})
