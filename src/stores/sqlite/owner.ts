import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { createIds } from '#kernel'

const newOwner = createIds()

/**
 * When a process began, in a unit of this machine's own that no later process with the same id shares; undefined if there
 * is no such process, `''` where the machine doesn't say. On Linux: the boot and the start time in clock ticks (proc(5)).
 */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command stands in parentheses and may hold any characters; the fields behind it are counted from 3.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const state = fields[0]
    if (state === 'Z' || state === 'X') return undefined
    return `${bootId()}.${fields[19] ?? ''}`
  } catch {
    return isRunning(pid) ? '' : undefined
  }
}

let boot: string | undefined
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)
  return boot
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

let place: string | undefined
/** The host and, on Linux, the process namespace: only within one does a process id say who is meant. */
function host(): string {
  place ??= `${encodeURIComponent(hostname())}${namespace()}`
  return place
}

function namespace(): string {
  try {
    return `.${/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? ''}`
  } catch {
    return ''
  }
}

/**
 * A new owner id for leases and claims of this process: host, process id, process start and a part of its own, so that two
 * owners in one process differ. Law S21.
 */
export function processOwner(): string {
  return `${host()}/${process.pid}/${startOf(process.pid) ?? ''}/${newOwner('own').slice(4)}`
}

/**
 * Whether the owner is known to be dead: a process of this host that has ended, also when its id belongs to another one now.
 * False for owners of other hosts and of any other form, whose leases run out by the clock alone.
 */
export function ownerIsDead(owner: string): boolean {
  const [ownerHost, pid, start, own, ...rest] = owner.split('/')
  if (ownerHost !== host() || own === undefined || rest.length > 0 || !/^[1-9]\d*$/.test(pid ?? '')) return false
  const now = startOf(Number(pid))
  if (now === undefined) return true
  return now !== '' && start !== '' && now !== start
}
