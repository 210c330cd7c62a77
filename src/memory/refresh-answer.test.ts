import type { Entry } from '#journal'
import { describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { readAnswer, refreshedFields } from './refresh-answer.ts'
import { emptyFolding, foldEntry } from './state-fold.ts'
import { emptyState } from './working-state.ts'

describe('a refreshed state', () => {
  verifies('M68', 'takes uncertainties as blockers only where there are none, and no objective from somebody who set it', () => {
    const state = { ...emptyState, stage: 'now', blockers: ['a'] }
    expect(refreshedFields(state, { stage: 'now', uncertainties: ['b'] })).toEqual({})
    expect(refreshedFields({ ...state, blockers: [] }, { uncertainties: ['b'] })).toEqual({ blockers: ['b'] })
    expect(refreshedFields(state, { blockers: [], uncertainties: ['b'] })).toEqual({ blockers: ['b'] })
    expect(readAnswer('```json\n{"stage":" done ","blockers":["x",7,""],"more":1}\n```')).toEqual({
      stage: 'done',
      blockers: ['x'],
    })
    for (const prose of ['', 'All is well.', '[1]']) expect(() => readAnswer(prose)).toThrow('without a state')
    const told = [
      { type: 'state_changed', seq: 1, v: 1, data: { set: { objective: 'Ship' } } },
      { type: 'state_changed', seq: 2, v: 1, by: 'model', data: { set: { objective: 'Sink', stage: 'late' } } },
    ] as unknown as Entry[]
    expect(told.reduce(foldEntry, emptyFolding).state).toMatchObject({ objective: 'Ship', suggested: 'Sink', stage: 'late' })
  })
})
