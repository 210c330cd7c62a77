import { expect, it } from 'vitest'
import type { Json } from '#kernel'
import type { Source } from './summarizer.ts'
import { touchedFiles } from './touched-files.ts'

let count = 0
const called = (tool: string, input: Json, status?: 'error'): Source => {
  const callId = `c${count++}`
  const parts = [
    { type: 'tool_call', callId, tool, input } as const,
    ...(status === undefined ? [] : [{ type: 'tool_result', callId, tool, status, output: '' } as const]),
  ]
  return { ref: 'ent_1', role: 'assistant', at: 1, text: '', message: { role: 'assistant', parts } }
}
const touched = (...sources: Source[]): string[] =>
  touchedFiles(sources).map(file => `${file.path}: ${file.operations.join(', ')}`)

it('tells what was done to a file from the tool’s name, in order', () => {
  expect(
    touched(called('readFile', { path: 'a.ts' }), called('write_file', { file_path: 'a.ts', content: 'see b.ts\n' })),
  ).toEqual(['a.ts: read, wrote'])
})
it('tells it from the command where one tool does all, and names the tool it does not know', () => {
  expect(
    touched(
      called('str_replace_based_edit_tool', { command: 'view', path: '/a/b' }),
      called('compile', { files: ['x.c', 'y.c'] }),
    ),
  ).toEqual(['/a/b: read', 'x.c: compile', 'y.c: compile'])
})
it('leaves out calls that failed, and members that are no path', () => {
  expect(touched(called('write', { path: 'a.ts' }, 'error'), called('fetch', { url: 'x y', note: 'and/or', n: 1 }))).toEqual([])
})
it('ends with any input', () => {
  const deep = JSON.parse(`${'['.repeat(100)}"src/a.ts"${']'.repeat(100)}`) as Json
  expect(
    touched(
      called('read', deep),
      called(
        'read',
        Array.from({ length: 1e5 }, () => 'x'),
      ),
    ),
  ).toEqual(['src/a.ts: read'])
})
