import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(repository, 'docs')).map(name => `docs/${name}`)].filter(
  name => name.endsWith('.md'),
)
const textOf = (file: string): string => readFileSync(file, 'utf8')

/** Written by `npm run bench`, on a machine that has time for it. */
const written = ['docs/benchmarks.md']

/** The names of a page's headings, as links call them. */
const anchorsOf = (file: string): string[] =>
  [...textOf(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  )

/** What is wrong with a page's links to files of the repository. */
function deadLinks(page: string): string[] {
  const file = join(repository, page)
  return [...textOf(file).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(([, path = '', anchor]) => {
    const target = path === '' ? file : join(dirname(file), path)
    const name = relative(repository, target)
    if (!existsSync(target)) return written.includes(name) ? [] : [`${name}: not there`]
    return anchor === undefined || anchorsOf(target).includes(anchor) ? [] : [`${path}#${anchor}: no such heading`]
  })
}

describe('the pages', () => {
  it.each(pages)('%s: every link leads somewhere', page => {
    expect(deadLinks(page)).toEqual([])
  })
})
