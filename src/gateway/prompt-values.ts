import { cutCodePoints } from '#kernel'

const plainShape = /^[\p{L}\p{M}\p{Nd}.,:'&/#@+\-_!](?:[\p{L}\p{M}\p{Nd}.,:'&/#@+\-_! ]*[\p{L}\p{M}\p{Nd}.,:'&/#@+\-_!])?$/u
const mostPlain = 64
const mostQuoted = 240
/** What a reader does not see, or what begins a line: controls, format characters, separators but the space. */
const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu

/** Whether a value may stand bare: nothing in it can be taken for more than a name. */
export function isPlain(value: string): boolean {
  return plainShape.test(value) && cutCodePoints(value, mostPlain) === value
}

/** A value that other people wrote, as it stands in a prompt: bare if it is plain, else one quoted line. Law G69. */
export function promptValue(value: string): string {
  if (isPlain(value)) return value
  const cut = cutCodePoints(value, mostQuoted)
  return JSON.stringify(cut === value ? value : `${cut}…`).replace(hidden, char =>
    [...Array(char.length).keys()].map(unit => `\\u${char.charCodeAt(unit).toString(16).padStart(4, '0')}`).join(''),
  )
}

/** A capital after everything that is no letter: `api_server` is `Api_Server`. */
export function platformTitle(platform: string): string {
  return platform
    .toLowerCase()
    .replace(/(^|[^a-z])([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase())
}
