import { parentPort } from 'node:worker_threads'

/** What a thread is asked: which lines of these texts match, at most `max` of them. */
export interface RegexOrder {
  readonly source: string
  readonly flags: string
  readonly texts: readonly string[]
  readonly max: number
}

/** By text: the numbers of its lines that match, from 1. */
export type RegexAnswer = readonly (readonly number[])[]

parentPort?.on('message', ({ source, flags, texts, max }: RegexOrder) => {
  const pattern = new RegExp(source, flags)
  let left = max
  const answer: RegexAnswer = texts.map(text => {
    const numbers: number[] = []
    for (const [at, line] of text.split('\n').entries()) {
      if (left === 0) break
      if (!pattern.test(line.endsWith('\r') ? line.slice(0, -1) : line)) continue
      numbers.push(at + 1)
      left--
    }
    return numbers
  })
  parentPort?.postMessage(answer)
})
