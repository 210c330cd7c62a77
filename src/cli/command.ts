import { dirname, resolve } from 'node:path'
import { type Config, delegateTool, fileTools, type UserInterface } from '#agent'
import type { Notice } from '#session'
import type { SkeinOptions } from '#skein'
import { given, parseTenant, SkeinError } from '#kernel'
import type { MemorySettings } from '#memory'
import { loadConfig } from './config-files.ts'
import { readGatewayConfig } from './gateway-config.ts'
import type { Server } from './http.ts'
import type { Interrupts } from './interrupts.ts'
import type { Io } from './io.ts'
import { localVerbs } from './local.ts'
import { Output } from './output.ts'
import { defaultCredentials, defaultStore, makeFolder, storeFile } from './places.ts'
import { remoteVerbs } from './remote.ts'
import { Settings } from './settings.ts'
import { readUserSection } from './user-section.ts'
import type { Verbs } from './verbs.ts'

/** Flags that stand on every command. */
export interface GlobalFlags {
  readonly store?: string
  readonly url?: string
  readonly tenant?: string
  readonly config?: string
  readonly json?: boolean
  readonly quiet?: boolean
  readonly yes?: boolean
}

/** What runs of a command may use, where they run in this process. */
export interface Gear {
  readonly tools?: 'none' | 'files'
  /** Who can be asked there. */
  readonly ui?: UserInterface
  /** Whether background work of the store is done here as long as the command runs. */
  readonly worker?: boolean
}

/** What a command is given: the outside, its output, the configuration, and the verbs. */
export class Invocation {
  readonly io: Io
  readonly flags: GlobalFlags
  readonly out: Output
  readonly settings: Settings
  readonly config: Config
  readonly interrupts: Interrupts

  constructor(io: Io, flags: GlobalFlags, interrupts: Interrupts, more: Readonly<Record<string, string | undefined>> = {}) {
    this.io = io
    this.flags = flags
    this.interrupts = interrupts
    this.out = new Output(io, { json: flags.json === true, quiet: flags.quiet === true })
    this.config = loadConfig({
      env: io.env,
      cwd: io.cwd,
      file: flags.config,
      flags: { store: flags.store, url: flags.url, tenant: flags.tenant, ...more },
    })
    this.settings = new Settings(this.config, io.env, io.cwd)
    for (const notice of this.config.notices) this.out.talk(`notice: ${notice}`)
    if (flags.store !== undefined && flags.url !== undefined) {
      throw new SkeinError('input.invalid', 'Give --store or --url, not both.', { details: { path: '--url' } })
    }
  }

  get yes(): boolean {
    return this.flags.yes === true
  }

  get tenant(): string {
    return parseTenant(this.settings.text('tenant') ?? 'default')
  }

  /** The server that is asked instead of a store; `--store` on the line goes before a configured one. */
  get server(): Server | undefined {
    const url = this.flags.store === undefined ? this.settings.secret('url') : undefined
    if (url === undefined) return undefined
    if (!URL.canParse(url) || !/^https?:/.test(url))
      throw new SkeinError('config.invalid', `--url: expected http:// or https://, got ${url}.`, { details: { key: 'url' } })
    return { url, token: this.settings.secret('token'), fetch: this.io.fetch }
  }

  /** The store's address. */
  get store(): string {
    return this.settings.secret('store') ?? 'memory:'
  }

  /** The file of provider keys and logins, absolute. */
  get credentials(): string {
    return this.settings.path('credentials') ?? defaultCredentials(this.io.env)
  }

  /** Options for `openSkein`; the folder of the default store is made, of no other. One command doesn't stay for background work; a server does. */
  skeinOptions(worker = false): SkeinOptions {
    const { settings } = this
    const file = storeFile(this.store, this.io.cwd)
    if (file !== undefined && this.store === defaultStore(this.io.env)) makeFolder(dirname(file))
    // What files and variables say, sessions read themselves.
    const model = settings.layerOf('model') === 'flag' ? settings.text('model') : undefined
    const config = this.flags.config === undefined ? undefined : resolve(this.io.cwd, this.flags.config)
    const liveMax = settings.number('sessions.liveMax')
    const idleMs = settings.number('sessions.idleMs')
    const { options: gateway } = readGatewayConfig(this.io, this.flags.config)
    // Checked, with what is unknown in it, where Skein is opened.
    const memory: MemorySettings | undefined = readUserSection('memory', this.io, this.flags.config)?.section
    return {
      store: file === undefined ? this.store : `sqlite:${file}`,
      env: settings.providerEnvironment(),
      credentials: this.credentials,
      clock: this.io.clock,
      worker,
      ...given({ model, config, gateway, memory }),
      sessions: given({ liveMax, idleMs }),
      onNotice: notice => this.notice(notice),
    }
  }

  /** Opens the store, or names the server. Dispose of it. With `files` what runs here works on the files of this folder. */
  async verbs({ tools = 'none', worker, ui }: Gear = {}): Promise<Verbs> {
    const { server, tenant } = this
    if (server !== undefined) {
      if (this.flags.tenant !== undefined)
        throw new SkeinError('input.invalid', "A server's tenant is its token's: leave --tenant out, or give --store.", {
          details: { path: '--tenant' },
        })
      return remoteVerbs(server)
    }
    const { openSkein } = await import('#skein')
    const files = tools === 'files' ? [...fileTools({ cwd: this.io.cwd }), delegateTool()] : undefined
    const house = await openSkein({ ...this.skeinOptions(worker), ...given({ tools: files, ui }) })
    return localVerbs(house.in(tenant), house)
  }

  notice({ level, code, message }: Notice): void {
    // Said by whoever runs the model, once, where it matters.
    if (code !== 'model.demo' && code !== 'config.notice') this.out.talk(`${level === 'info' ? 'notice' : level}: ${message}`)
  }
}

/** What a command does: the invocation, its arguments, its options. */
export type Act<A extends readonly unknown[]> = (invocation: Invocation, ...given: A) => Promise<void>

/** Makes a command's action. `keys` names options that are configuration: they are the flags' layer. */
export type Runner = <A extends readonly unknown[]>(
  act: Act<A>,
  keys?: Readonly<Record<string, string>>,
) => (...given: unknown[]) => Promise<void>

/** Runs with the verbs open, and closes them whatever happens. */
export async function withVerbs<T>(invocation: Invocation, act: (verbs: Verbs) => Promise<T>, gear: Gear = {}): Promise<T> {
  const verbs = await invocation.verbs(gear)
  try {
    return await act(verbs)
  } finally {
    await verbs[Symbol.asyncDispose]()
  }
}
