import { describe, expect, it } from 'vitest'
import type { Message, Part } from '#journal'
import type { ContextEntry } from './context-entry.ts'
import { fullText, sourcesOf } from './sources.ts'

const entry = (role: Message['role'], parts: readonly Part[], n = 1): ContextEntry => ({
  id: `ent_${n}`,
  seq: n,
  at: n,
  message: { role, parts },
  tokens: 1,
})
const call: Part = { type: 'tool_call', callId: 'c', tool: 'write_file', input: { text: 'a\nb', path: 'C:\\x\\y.ts' } }

describe('what a summarizer reads of entries', () => {
  it('is text, calls with canonical input, results, files by name, and no reasoning', () => {
    const [source] = sourcesOf([
      entry('assistant', [
        { type: 'reasoning', text: 'secret thought' },
        { type: 'text', text: 'Writing.' },
        call,
        { type: 'tool_result', callId: 'c', tool: 'write_file', status: 'error', output: { code: 'EACCES' } },
        { type: 'file', mediaType: 'image/png', name: 'shot.png', bytes: 12 },
        { type: 'source', url: 'https://a.b', title: 'A' },
      ]),
    ])
    expect(source).toMatchObject({ ref: 'ent_1', role: 'assistant', at: 1 })
    expect(source?.text.split('\n')).toEqual([
      'Writing.',
      '[call write_file {"path":"C:\\\\x\\\\y.ts","text":"a\\nb"}]',
      '[result of write_file, error]',
      '{"code":"EACCES"}',
      '[file shot.png, image/png, 12 bytes]',
      '[source A, https://a.b]',
    ])
  })

  it('leaves out an entry that says nothing, and takes a note for nobody’s words', () => {
    const note = {
      ...entry('user', [{ type: 'text', text: 'State' }], 2),
      note: { name: 'state', place: 'head', text: 'State' } as const,
    }
    const sources = sourcesOf([entry('assistant', [{ type: 'reasoning', text: 'x' }]), note])
    expect(sources.map(source => source.role)).toEqual(['system'])
  })

  it('is an outline of what is too large, while identifiers are looked for in the whole', () => {
    const large: Part = {
      type: 'tool_result',
      callId: 'c',
      tool: 'read',
      status: 'ok',
      output: 'deep src/needle.ts',
      outline: '3 lines',
    }
    const [source] = sourcesOf([entry('tool', [large])])
    expect(source?.text).toBe('[result of read]\n3 lines')
    expect(source && fullText(source)).toContain('deep src/needle.ts')
  })

  it('has inputs without the escapes of JSON in its full text', () => {
    const [source] = sourcesOf([entry('assistant', [call])])
    expect(source && fullText(source)).toContain('path: C:\\x\\y.ts\ntext: a\nb'.split('\n')[0])
  })
})
