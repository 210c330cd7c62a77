import { SkeinError } from '#kernel'
import { type TokenCounter, weightsCounter } from './count-tokens.ts'

/** What the setting `counter` takes: a counter's name, or one of your own. */
export type CounterChoice = 'weights/1' | 'o200k' | TokenCounter

interface Encoding {
  countTokens(text: string, options: { readonly disallowedSpecial: ReadonlySet<string> }): number
}

const install = 'npm install gpt-tokenizer@4.0.0'
let o200k: Promise<TokenCounter> | undefined

/**
 * The counter of a setting. `o200k` loads its table when first asked for; without the package that is `config.invalid`
 * with the command that installs it. No counter that it gives ever throws. Law C2.
 */
export async function loadCounter(
  choice: CounterChoice,
  load: () => Promise<unknown> = () => import('gpt-tokenizer/encoding/o200k_base'),
): Promise<TokenCounter> {
  if (choice === 'weights/1') return weightsCounter
  if (choice !== 'o200k') return total(choice)
  // What could not be loaded is tried again by the next who asks.
  o200k ??= loadO200k(load).catch((error: unknown) => {
    o200k = undefined
    throw error
  })
  return await o200k
}

async function loadO200k(load: () => Promise<unknown>): Promise<TokenCounter> {
  let encoding: Encoding
  try {
    encoding = (await load()) as Encoding
  } catch (cause) {
    throw new SkeinError('config.invalid', `context.counter: o200k needs a package: ${install}`, {
      details: { key: 'context.counter' },
      cause,
    })
  }
  // Names of special tokens are text like any other here.
  const options = { disallowedSpecial: new Set<string>() }
  return total({
    id: 'o200k',
    count: text => pieces(text).reduce((sum, piece) => sum + encoding.countTokens(piece, options), 0),
  })
}

const pieceLength = 1_000

/**
 * A word without end takes the square of its length to merge, so long texts are counted piece by piece, cut before a space
 * where there is one in the second half. That adds at most one token per piece.
 */
function pieces(text: string): string[] {
  const out: string[] = []
  for (let from = 0; from < text.length;) {
    let to = Math.min(text.length, from + pieceLength)
    if (to < text.length) {
      const space = text.lastIndexOf(' ', to)
      if (space > from + pieceLength / 2) to = space
      else if (isHighSurrogate(text.charCodeAt(to - 1))) to--
    }
    out.push(text.slice(from, to))
    from = to
  }
  return out
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff

/** A counter that may fail, made total: where it throws or gives no count, the default counts. */
function total(counter: TokenCounter): TokenCounter {
  return {
    id: counter.id,
    count(text) {
      try {
        const counted = Math.ceil(counter.count(text))
        if (Number.isSafeInteger(counted) && counted >= 0) return counted
      } catch {
        // The default takes over.
      }
      return weightsCounter.count(text)
    },
  }
}
