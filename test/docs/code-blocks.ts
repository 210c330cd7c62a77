/** A piece of a page's code, and what it prints. */
export interface CodeBlock {
  readonly code: string
  readonly prints: string
}

/** The `ts` blocks of a page, each with the `text` block that follows it, if one does. */
export function codeBlocks(page: string): CodeBlock[] {
  return [...page.matchAll(/^```ts\n([^]*?)^```\n(?:\n```text\n([^]*?)^```\n)?/gm)].map(([, code = '', prints = '']) => ({
    code,
    prints,
  }))
}

/** Pages whose code is one program, kept in `examples/` under the page's name. */
export const pageExamples: readonly string[] = ['own-model', 'context', 'tools', 'runs', 'models']

export const titleOf = (page: string): string => `The code of docs/${page}.md.`

/** A page's code as one program, as it stands in `examples/`. */
export const programOf = (page: string, title: string): string =>
  `/* ${title} */\n${codeBlocks(page)
    .map(({ code }) => code)
    .join('\n')}`

/** What an example says that it prints: the lines of the comment at its end that begins with `Prints:`. */
export function printsOf(program: string): string {
  const comment = /\n\/\* Prints:\n([^]*)\*\/\n$/.exec(program)?.[1]
  if (comment === undefined) throw new Error('The example does not say what it prints.')
  return comment
}
