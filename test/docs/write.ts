import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pageExamples, programOf, titleOf } from './code-blocks.ts'
import { madeParts, withParts } from './made-parts.ts'

for (const [page, parts] of Object.entries(madeParts)) {
  const file = fileURLToPath(new URL(`../../docs/${page}`, import.meta.url))
  writeFileSync(file, withParts(readFileSync(file, 'utf8'), parts))
}

for (const page of pageExamples) {
  const text = readFileSync(fileURLToPath(new URL(`../../docs/${page}.md`, import.meta.url)), 'utf8')
  const program = fileURLToPath(new URL(`../../examples/${page}.ts`, import.meta.url))
  writeFileSync(program, programOf(text, titleOf(page)))
}
