import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { objectiveIn } from './objective.ts'

const asking = [
  'Can you fix the login?',
  "Don't worry, please fix the build",
  'Don’t worry, please fix the build',
  'We need a parser',
  'I really want a faster build',
  'Need a faster build by Monday',
  'Help me with the parser',
  "It isn't green so I need a fix",
  'The build fails. Help me!',
  'No, please stop the server',
  "I'd want two of them",
  'Could you\nlook at it',
  'please run `npm test`',
  'PLEASE FIX IT',
]
const silent = [
  'The needle was unwanted',
  "I don't want anything",
  'I don’t want anything',
  'I do not really need it',
  'Thanks for your help',
  'Yes, please.',
  'please',
  'He said "can you fix the login?"',
  'He said “please fix the login” to me',
  'The code `please help me` is odd',
  '```\nplease fix the login now\n```\nsee above now',
  '> please fix the login now',
  'You shouldn’t please everyone',
  'The unneeded wants are pleased',
  'They need a parser',
  'I never want this',
  'see https://example.com/please/help now',
  'A canyouth plea seed',
  '<skein-memory kind="state" id="x">please fix the login</skein-memory>',
  '',
]

describe('an objective', () => {
  verifies('M62', 'is what a message asks for, by whole words and without a negation before them', () => {
    expect(asking.filter(text => objectiveIn(text) !== text)).toEqual([])
    expect(silent.filter(text => objectiveIn(text) !== null)).toEqual([])
  })

  it('is asked for in other languages, too, and never in parts of words', () => {
    const found = [
      'Kannst du den Login reparieren?',
      'Repariere bitte den Login',
      'Peux-tu corriger la connexion',
      'Corrige la connexion, s’il te plaît',
      '¿Puedes arreglar el inicio?',
      'Arregla esto por favor',
      '请修复登录问题',
      '你能不能修复登录',
      '帮我看看这个',
      'ログインを直してください',
      'ログインの修正をお願いします',
    ]
    expect(found.filter(text => objectiveIn(text) !== text)).toEqual([])
    const none = ['申请一个账号', 'Sie bittet ihn darum nicht', 'Das ist kein bitte', '请看', 'Il ne faut pas pouvez-vous']
    expect(none.filter(text => objectiveIn(text) !== null)).toEqual([])
  })

  it('is trimmed and at most 200 code points long, cut between characters', () => {
    expect(objectiveIn('  please fix the login \n')).toBe('please fix the login')
    const cut = objectiveIn(`please fix this ${'👩‍👩‍👧'.repeat(100)}`) ?? ''
    expect([...cut].length).toBeLessThanOrEqual(200)
    expect([...cut].length).toBeGreaterThan(194)
    expect(cut.endsWith('👩‍👩‍👧')).toBe(true)
  })
})
