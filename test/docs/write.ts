import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { programOf } from './code-blocks.ts'
import { madeParts, withParts } from './made-parts.ts'

for (const [page, parts] of Object.entries(madeParts)) {
  const file = fileURLToPath(new URL(`../../docs/${page}`, import.meta.url))
  writeFileSync(file, withParts(readFileSync(file, 'utf8'), parts))
}

const page = readFileSync(fileURLToPath(new URL('../../docs/own-model.md', import.meta.url)), 'utf8')
writeFileSync(
  fileURLToPath(new URL('../../examples/own-model.ts', import.meta.url)),
  programOf(page, 'The code of docs/own-model.md.'),
)
