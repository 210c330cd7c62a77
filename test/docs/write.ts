import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { madeParts, withParts } from './made-parts.ts'

for (const [page, parts] of Object.entries(madeParts)) {
  const file = fileURLToPath(new URL(`../../docs/${page}`, import.meta.url))
  writeFileSync(file, withParts(readFileSync(file, 'utf8'), parts))
}
