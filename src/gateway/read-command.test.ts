import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { readCommand } from './read-command.ts'

describe('a command', () => {
  verifies('G67', 'is read in any case, and addressed to a bot', () => {
    const status = { name: 'status', rest: '' }
    for (const text of ['/status', '/STATUS', ' /Status ', '/status@bot', '/status@my_bot.dev'])
      expect(readCommand(text)).toEqual(status)
  })

  it('keeps what stands behind its name', () => {
    expect(readCommand('/new  My trip ')).toEqual({ name: 'new', rest: 'My trip' })
    expect(readCommand('/title@bot two\nlines')).toEqual({ name: 'title', rest: 'two\nlines' })
  })

  it('reads a long dash before a word as two short ones', () => {
    expect(readCommand('/compact —now')).toEqual({ name: 'compact', rest: '--now' })
    expect(readCommand('/title Berlin — Rome')).toEqual({ name: 'title', rest: 'Berlin — Rome' })
  })

  it.each(['/etc/hosts is odd', '/unknown', 'status', '', '/', '/ status', '//status', '/new/er', 'please /stop'])(
    'is not %j',
    text => expect(readCommand(text)).toBeUndefined(),
  )

  it('begins afresh at a trigger, which may be any text', () => {
    const triggers = ['start over', '/fresh', ' ']
    expect(readCommand('Start Over', triggers)).toEqual({ name: 'reset', rest: '' })
    expect(readCommand('start over now', triggers)).toBeUndefined()
    expect(readCommand('/fresh Rome', triggers)).toEqual({ name: 'reset', rest: 'Rome' })
    expect(readCommand('', triggers)).toBeUndefined()
  })
})
