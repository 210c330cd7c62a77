import { describe, expect, it } from 'vitest'
import { Interrupted, Interrupts } from './interrupts.ts'
import { processIo, type SignalName } from './io.ts'

function interrupted(): { interrupts: Interrupts; hear: (name: SignalName) => void; exits: number[] } {
  const exits: number[] = []
  let hear: (name: SignalName) => void = () => undefined
  const interrupts = new Interrupts({
    ...processIo(),
    onSignal: heard => {
      hear = heard
      return () => undefined
    },
    exit: code => void exits.push(code),
  })
  return { interrupts, hear: name => hear(name), exits }
}

describe('a signal', () => {
  it('ends a command that takes none at once, with its code', () => {
    const { hear, exits } = interrupted()
    hear('SIGINT')
    hear('SIGTERM')
    expect(exits).toEqual([130, 143])
  })

  it('is taken once; the second one ends the process at once', () => {
    const { interrupts, hear, exits } = interrupted()
    const signal = interrupts.abort()
    hear('SIGTERM')
    expect([exits, signal.reason instanceof Interrupted, (signal.reason as Interrupted).code]).toEqual([[], true, 143])
    hear('SIGINT')
    expect(exits).toEqual([130])
  })

  it('is a first one again for whoever says so', () => {
    const { interrupts, hear, exits } = interrupted()
    const taken: number[] = []
    interrupts.take(code => void taken.push(code))
    hear('SIGINT')
    interrupts.again()
    hear('SIGINT')
    expect([taken, exits]).toEqual([[130, 130], []])
  })
})
