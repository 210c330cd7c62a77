import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { isSkeinError, SkeinError } from '#kernel'
import type { CheckResult } from '#journal'
import type { Skein } from '#skein'
import { auditContexts } from './audit-contexts.ts'
import type { Invocation, Runner } from './command.ts'
import type { Trouble } from './trouble.ts'
import { maskAddress } from './secrets.ts'
import { modeOf, storeFile } from './places.ts'
import { serverState } from './remote.ts'
import { Exit } from './report-error.ts'
import { configRow } from './show-config.ts'
import { columns, countText } from './table.ts'
import { ownVersion } from './version.ts'

interface Report {
  readonly version: string
  readonly node: string
  readonly store: {
    readonly address: string
    readonly adapter?: string
    readonly format?: number
    readonly bytes?: number | null
    readonly mode?: string
  }
  readonly model: string | null
  readonly credentials: readonly { readonly provider: string; readonly kind: string; readonly source: string }[]
  readonly checked: Omit<CheckResult, 'findings'> | null
  readonly search: { readonly behind: number } | null
  readonly config: ReturnType<Invocation['settings']['shown']>
  readonly findings: readonly Trouble[]
}

/** `skein doctor`: configuration, Node, store, search index; exit 1 where something is wrong. Prints no secret. Law H23. */
export function addDoctor(program: Command, run: Runner): void {
  program
    .command('doctor')
    .option('--deep', 'read every blob and prove every context, too')
    .description('check the store and what stands around it')
    .action(run(doctor))
}

async function doctor(invocation: Invocation, flags: { readonly deep?: boolean }): Promise<void> {
  const { out, server } = invocation
  if (server !== undefined) return await lookAtServer(invocation)
  const findings: Trouble[] = invocation.config.notices.map(message => ({ kind: 'config', message }))
  findings.push(...checkMode(invocation))
  const looked = await lookAtStore(invocation, flags.deep === true, findings)
  const report: Report = {
    version: ownVersion(),
    node: process.version,
    ...looked,
    config: invocation.settings.shown(),
    findings,
  }
  if (out.json) await out.body(report)
  else await printReport(invocation, report)
  if (findings.length > 0) throw new Exit(1)
}

/** Others on this machine must not read what is said here, nor the keys. */
function checkMode(invocation: Invocation): Trouble[] {
  if (process.platform === 'win32') return []
  const store = storeFile(invocation.store, invocation.io.cwd)
  const stored = store === undefined ? [] : ['', '-wal', '-search'].map(suffix => `${store}${suffix}`)
  return [...stored, invocation.credentials].flatMap(file => {
    const mode = modeOf(file) ?? 0
    if ((mode & 0o077) === 0) return []
    return [{ kind: 'mode', message: `${file} can be read by others (${mode.toString(8)}). Run chmod 600 on it.` }]
  })
}

async function lookAtStore(
  invocation: Invocation,
  deep: boolean,
  findings: Trouble[],
): Promise<Pick<Report, 'store' | 'model' | 'credentials' | 'checked' | 'search'>> {
  const address = maskAddress(invocation.store)
  const { openSkein } = await import('#skein')
  let skein: Skein
  try {
    skein = await openSkein(invocation.skeinOptions())
  } catch (error) {
    if (!isSkeinError(error)) throw error
    findings.push({ kind: error.code, message: error.message })
    return { store: { address }, model: null, credentials: [], checked: null, search: null }
  }
  await using opened = skein
  const { findings: broken, ...checked } = await opened.store.check({ deep })
  for (const { kind, message, tenant, session } of broken)
    findings.push({ kind, message: `${tenant}${session === null ? '' : ` ${session}`}: ${message}` })
  if (deep) findings.push(...(await auditContexts(opened)))
  for (const tenant of (await opened.store.tenants()).filter(name => !name.startsWith('_')))
    for (const { kind, message } of await opened.in(tenant).gateway.check())
      findings.push({ kind, message: `${tenant}: ${message}` })
  const stats = opened.store.stats()
  const file = storeFile(invocation.store, invocation.io.cwd)
  const mode = file === undefined ? undefined : modeOf(file)
  return {
    store: {
      address,
      adapter: stats.adapter,
      format: stats.format,
      bytes: file === undefined ? stats.bytes : await sizeOf(file),
      ...(mode === undefined ? {} : { mode: mode.toString(8).padStart(4, '0') }),
    },
    ...(await lookAtModels(invocation, opened, findings)),
    checked,
    search: { behind: await searchLag(opened) },
  }
}

/** The default model and who has a credential; a damaged file of credentials is a finding. */
async function lookAtModels(
  { settings }: Invocation,
  { models }: Skein,
  findings: Trouble[],
): Promise<Pick<Report, 'model' | 'credentials'>> {
  const model = settings.text('model')
  try {
    return { model: model ?? (await models.defaultModel()), credentials: await models.credentials.list() }
  } catch (error) {
    if (!isSkeinError(error)) throw error
    findings.push({ kind: error.code, message: error.message })
    return { model: model ?? null, credentials: [] }
  }
}

/** Entries that a search can neither find by its index nor scan. No fault: the index goes on while Skein runs. */
async function searchLag(skein: Skein): Promise<number> {
  let behind = 0
  for (const tenant of await skein.store.tenants()) {
    const store = skein.store.in(tenant)
    const found = await store.search({ query: 'skein', limit: 1 })
    behind += found.behind?.entries ?? 0
  }
  return behind
}

const sizeOf = async (file: string): Promise<number | null> =>
  await stat(file).then(
    ({ size }) => size,
    () => null,
  )

async function printReport({ out }: Invocation, report: Report): Promise<void> {
  const { store, checked } = report
  const rows = [
    ['skein', report.version],
    ['node', report.node],
    ['store', store.address],
    ...(store.adapter === undefined
      ? []
      : [
          [
            '',
            `${store.adapter}, format ${store.format}, ${store.bytes === null || store.bytes === undefined ? 'size unknown' : `${store.bytes} bytes`}${store.mode === undefined ? '' : `, mode ${store.mode}`}`,
          ],
        ]),
    ...(checked === null
      ? []
      : [
          [
            'checked',
            `${countText(checked.sessions, 'session')}, ${checked.entries} entries, ${countText(checked.blobs, 'blob')}`,
          ],
        ]),
    ...(report.search === null
      ? []
      : [['search', report.search.behind === 0 ? 'up to date' : `${report.search.behind} entries behind`]]),
    ...(report.model === null ? [] : [['model', report.model]]),
    [
      'credentials',
      report.credentials.length === 0
        ? 'none'
        : report.credentials.map(({ provider, source }) => `${provider} (${source})`).join(', '),
    ],
  ]
  for (const line of columns(rows)) await out.line(line)
  await out.line()
  for (const line of columns(report.config.map(configRow))) await out.line(line)
  await out.line()
  for (const { kind, message } of report.findings) await out.line(`✗ ${kind}: ${message}`)
  await out.line(report.findings.length === 0 ? '✓ nothing is wrong' : countText(report.findings.length, 'finding'))
}

async function lookAtServer({ out, server }: Invocation): Promise<void> {
  if (server === undefined) return
  const state = await serverState(server)
  if (out.json) await out.body(state)
  else await out.line(`${server.url} is ${state.ready ? 'ready' : 'not ready'}`)
  if (!state.ready) throw new SkeinError('server.stopping', `${server.url} is not ready.`)
}
