import type { BlobId } from '#kernel'
import { fileTokens, messageOverhead, outlineOf, outputText, partTokens, type TokenCounter } from '#context'
import { type NewBlob, type Part, type PartInput, stowParts } from '#journal'

/** How a message's parts are counted when they are stored, and from where on they are outlined. */
export interface Scales {
  readonly counter: TokenCounter
  readonly largeTokens: number
}

export interface Origin {
  /** Handed in from outside: no tool layer has bounded its results, so large ones are outlined. */
  readonly handedIn?: boolean
  /** The content of files that name a blob instead of carrying it. */
  readonly contents?: ReadonlyMap<BlobId, Uint8Array>
}

export interface Weighed {
  readonly parts: Part[]
  readonly blobs: NewBlob[]
  /** Of the message. */
  readonly tokens: number
}

/**
 * Parts as they are stored: counted once, while their content is at hand, large payloads set aside as blobs, and what is too
 * large to be shown with its outline. A file keeps its count; every other part is counted the same from what is stored.
 * Source: spec/context.md 1 and 4, laws C4 and C44.
 */
export function weighParts(parts: readonly PartInput[], scales: Scales, origin: Origin = {}, path: string = 'parts'): Weighed {
  const stowed = stowParts(parts, path)
  let tokens = messageOverhead
  const weighed = parts.map((input, index): Part => {
    const { part, size } = weigh(input, stowed.parts[index] as Part, stowed.texts[index], scales, origin)
    tokens += size
    return part
  })
  return { parts: weighed, blobs: stowed.blobs, tokens }
}

interface Weight {
  readonly part: Part
  readonly size: number
}

function weigh(input: PartInput, part: Part, text: string | undefined, { counter, largeTokens }: Scales, origin: Origin): Weight {
  if (part.type === 'file') {
    const content = contentOf(input, origin)
    if (content === undefined) return { part, size: partTokens(part, counter) }
    const size = fileTokens(part.mediaType, content, counter)
    const outline = size < largeTokens ? {} : { outline: outlineOf(content, part, counter) }
    return { part: { ...part, tokens: size, ...outline }, size }
  }
  // Nothing but a file comes without its payload.
  const whole = input as Part
  const size = partTokens(whole, counter, text)
  if (whole.type !== 'tool_result' || origin.handedIn !== true || size < largeTokens) return { part, size }
  const isText = typeof whole.output === 'string'
  const shape = isText ? {} : { mediaType: 'application/json', json: whole.output }
  const content = isText ? whole.output : (text ?? outputText(whole.output))
  return { part: { ...part, outline: outlineOf(content as string, shape, counter) } as Part, size }
}

function contentOf(input: PartInput, { contents }: Origin): Uint8Array | undefined {
  if (input.type !== 'file') return undefined
  if ('data' in input) return input.data
  return input.blob === undefined ? undefined : contents?.get(input.blob)
}

/** The name of a counter other than the default, as it stands on the entries that it counted. */
export function countedBy({ id }: TokenCounter): { readonly counter?: string } {
  return id === 'weights/1' ? {} : { counter: id }
}
