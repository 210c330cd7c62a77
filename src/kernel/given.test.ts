import { expect, it } from 'vitest'
import { given } from '#kernel'

it('leaves out what is undefined and nothing else', () => {
  const members = { gone: undefined, none: null, zero: 0, no: false, empty: '' }
  expect(Object.entries(given(members))).toEqual(Object.entries(members).slice(1))
})
