import { createInterface } from 'node:readline'

/**
 * What a child of the crash tests is: when `file` is the program, it says `warm` once it is loaded, does what the next line of
 * its input tells it, and ends.
 */
export async function doTask<T>(file: string, work: (task: T) => Promise<void>): Promise<void> {
  if (process.argv[1] !== file) return
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  process.stdout.write('warm\n')
  const told = await lines.next()
  if (told.done !== true) await work(JSON.parse(told.value) as T)
  process.exit(0)
}
