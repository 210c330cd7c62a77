/**
 * Parts a text for a platform that takes at most `most` UTF-16 units a message: at paragraphs, else at line ends, else at spaces,
 * else between characters, never inside one. Joined, the parts say the same but for white space at their edges.
 */
export function splitText(text: string, most: number): string[] {
  const parts: string[] = []
  let rest = text
  while (rest.length > most) {
    const end = endOfPart(rest, most)
    parts.push(rest.slice(0, end).trimEnd())
    rest = rest.slice(end).trimStart()
  }
  return [...parts, rest].filter(part => part.trim() !== '')
}

function endOfPart(text: string, most: number): number {
  for (const [edge, least] of [
    ['\n\n', 0],
    ['\n', 0.5],
    [' ', 0.5],
  ] as const) {
    const end = text.lastIndexOf(edge, most)
    if (end > most * least) return end
  }
  return endOfCharacter(text, most)
}

/** Where the last whole character ends that fits; a first one that is longer itself is cut between code points. */
function endOfCharacter(text: string, most: number): number {
  let end = 0
  // A grapheme that begins before the edge may end behind it; a little more is enough to see that.
  for (const { index, segment } of new Intl.Segmenter().segment(text.slice(0, most + 64))) {
    if (index + segment.length > most) break
    end = index + segment.length
  }
  if (end > 0) return end
  const unit = text.charCodeAt(most - 1)
  return most > 1 && unit >= 0xd800 && unit < 0xdc00 ? most - 1 : Math.max(1, most)
}
