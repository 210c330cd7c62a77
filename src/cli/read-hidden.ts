import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { Interrupted } from './interrupts.ts'
import type { Io } from './io.ts'

/** Asks at a terminal and shows nothing of the answer. Rejects `Interrupted` for Ctrl-C; the end of the input is no answer. */
export async function readHidden({ stdin, stderr }: Pick<Io, 'stdin' | 'stderr'>, question: string): Promise<string> {
  stderr.write(question)
  // The line editor echoes to its output: to nowhere.
  const nowhere = new Writable({ write: (_piece, _encoding, done) => done() })
  const editor = createInterface({ input: stdin, output: nowhere, terminal: true, historySize: 0 })
  try {
    return await new Promise<string>((resolve, reject) => {
      editor.once('line', resolve)
      editor.once('close', () => resolve(''))
      editor.once('SIGINT', () => reject(new Interrupted(130)))
    })
  } finally {
    editor.close()
    stderr.write('\n')
  }
}
