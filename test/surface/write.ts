import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readSurface, surfaceFile, surfaceText } from './read-surface.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
writeFileSync(join(repository, surfaceFile), surfaceText(readSurface(repository)))
