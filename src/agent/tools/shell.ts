import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'

export interface ShellCommand {
  readonly command: string
  /** Default: bash where there is one, else sh. */
  readonly shell?: '/bin/sh'
  /** `null`: the process's own folder. */
  readonly cwd: string | null
  readonly env: Readonly<Record<string, string | undefined>>
  readonly timeoutMs: number
  /** From the first signal to the second. */
  readonly graceMs: number
  readonly signal: AbortSignal
  readonly onOutput: (chunk: Buffer) => void
}

export interface ShellEnd {
  readonly code: number | null
  readonly killedBy: string | null
  readonly timedOut: boolean
}

const waitMs = 20
/** How long a process that left the group may keep the pipes open. */
const drainMs = 1_000

/**
 * Runs a command in a process group of its own. Past its time, or when the signal aborts, the whole group gets SIGTERM and
 * after `graceMs` SIGKILL; when the shell itself has ended, what it left behind goes the same way. Resolves when nothing of
 * the group runs any more. Law A31.
 */
export async function runShell(asked: ShellCommand): Promise<ShellEnd> {
  const { command, cwd, env, timeoutMs, graceMs, signal, onOutput } = asked
  signal.throwIfAborted()
  const shell = asked.shell ?? (existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh')
  const child = spawn(shell, ['-c', command], {
    cwd: cwd ?? process.cwd(),
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  keep(child)
  child.stdout.on('data', onOutput)
  child.stderr.on('data', onOutput)
  let timedOut = false
  let killing: NodeJS.Timeout | undefined
  let ending = false
  const end = (): void => {
    if (ending) return
    ending = true
    signalGroup(child, 'SIGTERM')
    killing = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs)
  }
  const timeout = setTimeout(() => {
    timedOut = true
    end()
  }, timeoutMs)
  signal.addEventListener('abort', end, { once: true })
  const drained = new AbortController()
  try {
    const closed = new Promise<void>(resolve => child.once('close', () => resolve()))
    const [code, killedBy] = await exitOf(child)
    clearTimeout(timeout)
    // The shell is gone; what it left in its group is asked to go, and then made to.
    if (isAlive(child)) end()
    await untilGone(child, graceMs)
    clearTimeout(killing)
    if (isAlive(child)) signalGroup(child, 'SIGKILL')
    await untilGone(child, graceMs)
    await Promise.race([closed, pause(drainMs, undefined, { signal: drained.signal }).catch(() => undefined)])
    return { code, killedBy, timedOut }
  } finally {
    drained.abort()
    clearTimeout(timeout)
    clearTimeout(killing)
    signal.removeEventListener('abort', end)
    running.delete(child)
    child.stdout.destroy()
    child.stderr.destroy()
  }
}

/** Waits for the group's end, `ms` at most: a process that was killed stands in the table until its parent has looked. */
async function untilGone(child: ChildProcess, ms: number): Promise<void> {
  for (let waited = 0; isAlive(child) && waited < ms; waited += waitMs) await pause(waitMs)
}

async function exitOf(child: ChildProcess): Promise<[number | null, string | null]> {
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, killedBy) => resolve([code, killedBy]))
  })
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // Nothing of the group is left.
  }
}

function isAlive({ pid }: ChildProcess): boolean {
  if (pid === undefined) return false
  try {
    process.kill(-pid, 0)
    return runs(pid)
  } catch {
    return false
  }
}

/** Whether one of the group still runs: one that has ended stays in the table until its parent has looked. */
function runs(group: number): boolean {
  let names: readonly string[]
  try {
    names = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  } catch {
    return true
  }
  return names.some(name => {
    try {
      // Behind the name, which may hold anything: state, parent, group. Source: proc(5).
      const [state, , of] = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      return Number(of) === group && state !== 'Z' && state !== 'X'
    } catch {
      return false
    }
  })
}

/** Whose groups this process would leave behind by ending. */
const running = new Set<ChildProcess>()
let watchesExit = false

function keep(child: ChildProcess): void {
  running.add(child)
  if (watchesExit) return
  watchesExit = true
  process.on('exit', () => {
    for (const left of running) signalGroup(left, 'SIGKILL')
  })
}
