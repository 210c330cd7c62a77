import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Io, main, processIo } from '#cli'
import { childEntry } from '../bundle/child-entry.ts'

const launcher = childEntry(fileURLToPath(new URL('skein.ts', import.meta.url)))

/** What a command is given of this process's environment: nothing that changes what it does. */
const inherited = (): Record<string, string> =>
  Object.fromEntries(['PATH', 'NODE_COMPILE_CACHE'].flatMap(name => (process.env[name] ? [[name, process.env[name]]] : [])))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Place {
  readonly home: string
  readonly cwd: string
  /** The file of the default store. */
  readonly store: string
  /** Runs a command to its end. */
  skein(args: readonly string[], options?: Given): Promise<Ended>
  /** Runs a command within this process: the same, without a process's start. */
  here(args: readonly string[], options?: Given): Promise<Ended>
  /** Starts a command and leaves it running. */
  start(args: readonly string[], options?: Given): Going
  remove(): Promise<void>
}

export interface Given {
  /** Written to stdin, which is then closed. Default: closed at once. */
  readonly input?: string
  /** Leaves stdin open, for what is written there later. */
  readonly open?: boolean
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export interface Going {
  readonly process: ChildProcessWithoutNullStreams
  readonly ended: Promise<Ended>
  /** Resolves with the match once stdout, or stderr, has it; rejects when the process ends without. */
  sees(pattern: RegExp, on?: 'stdout' | 'stderr'): Promise<RegExpMatchArray>
}

class Collected extends Writable {
  text = ''

  override _write(piece: Buffer | string, _encoding: string, done: () => void): void {
    this.text += piece.toString()
    done()
  }
}

/** A home and a folder of its own, where nobody else's configuration or credentials are. */
export function makePlace(): Place {
  const root = mkdtempSync(join(tmpdir(), 'skein-cli-'))
  const home = join(root, 'home')
  const cwd = join(root, 'work')
  for (const folder of [home, cwd]) mkdirSync(folder)
  const running = new Set<Going>()

  const start: Place['start'] = (args, { input, open = false, env = {}, cwd: from = cwd } = {}) => {
    const child = spawn(process.execPath, ['--conditions=skein-source', launcher, ...args], {
      cwd: from,
      env: { HOME: home, ...inherited(), ...env },
    })
    let [stdout, stderr] = ['', '']
    const heard = new Set<() => void>()
    const tell = (): void => heard.forEach(hear => hear())
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      tell()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      tell()
    })
    child.stdin.on('error', () => undefined)
    if (input !== undefined) child.stdin.write(input)
    if (!open) child.stdin.end()
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', code => resolve({ code, stdout, stderr }))
    })
    const going: Going = {
      process: child,
      ended,
      sees: (pattern, on = 'stdout') =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            const match = pattern.exec(on === 'stdout' ? stdout : stderr)
            if (match === null) return
            heard.delete(look)
            resolve(match)
          }
          heard.add(look)
          look()
          void ended.then(end => reject(new Error(`It ended without ${String(pattern)}: ${JSON.stringify(end)}`)), reject)
        }),
    }
    running.add(going)
    void ended.finally(() => running.delete(going)).catch(() => undefined)
    return going
  }

  return {
    home,
    cwd,
    store: join(home, '.local/share/skein/skein.db'),
    start,
    skein: (args, options) => start(args, options).ended,
    async here(args, { input = '', env = {}, cwd: from = cwd } = {}) {
      const [stdout, stderr] = [new Collected(), new Collected()]
      const stdin = Readable.from(input === '' ? [] : [Buffer.from(input)])
      const io: Io = {
        ...processIo(),
        stdin,
        stdout,
        stderr,
        cwd: from,
        env: { HOME: home, ...env },
        onSignal: () => () => undefined,
      }
      const code = await main(args, io)
      return { code, stdout: stdout.text, stderr: stderr.text }
    },
    async remove() {
      for (const going of running) going.process.kill('SIGKILL')
      await Promise.allSettled([...running].map(going => going.ended))
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** A command through the shell, for pipes; `skein` in it is the launcher. */
export async function shell(place: Place, line: string): Promise<Ended> {
  const command = `skein() { "${process.execPath}" --conditions=skein-source "${launcher}" "$@"; }; ${line}`
  const child = spawn('bash', ['-c', command], { cwd: place.cwd, env: { HOME: place.home, ...inherited() } })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text))
  child.stdin.end()
  return await new Promise(resolve => child.on('close', code => resolve({ code, stdout, stderr })))
}
