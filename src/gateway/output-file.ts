import { mkdir, open, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { reservedTenant } from '#kernel'
import type { GatewayAdapter } from './adapter.ts'
import { outputPlatform } from './outbox-row.ts'

/** Where a tenant's files go: the folder itself for the default tenant, one of its own in it for any other. */
function folderOf(outputFolder: string, tenant: string): string {
  const folder = resolve(outputFolder.startsWith('~/') ? join(homedir(), outputFolder.slice(2)) : outputFolder)
  return tenant === 'default' || tenant === reservedTenant ? folder : join(folder, `@${tenant}`)
}

const extension = '.md'

/** `2026-03-29T01-00-00.000Z-out_….md`: of the row alone, so that nothing that anybody wrote is part of a path. */
export function outputName(id: string, at: number): string {
  return `${new Date(at).toISOString().replaceAll(':', '-')}-${id}${extension}`
}

/**
 * What is delivered to `local`: each message a file for its owner alone, there whole or not at all. The same message again is the
 * same file.
 */
export function fileAdapter(outputFolder: string, tenant: string): GatewayAdapter {
  const folder = folderOf(outputFolder, tenant)
  return {
    platform: outputPlatform,
    capabilities: {
      maxTextChars: Number.MAX_SAFE_INTEGER,
      edits: false,
      typing: false,
      threads: false,
      media: false,
      idempotentSend: true,
      piiSafe: false,
    },
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    async send(_to, { text }, { id, at }) {
      const name = outputName(id, at)
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeWhole(join(folder, name), text.endsWith('\n') ? text : `${text}\n`)
      return { messageId: name }
    },
  }
}

/** Beside the file first, so that whoever looks sees all of it or nothing, also after the power went. */
async function writeWhole(path: string, text: string): Promise<void> {
  const beside = `${path}.part`
  // What a process that died left of it; a link that somebody put there is not followed.
  await rm(beside, { force: true })
  const file = await open(beside, 'wx', 0o600)
  try {
    await file.writeFile(text, 'utf8')
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(beside, path)
}
