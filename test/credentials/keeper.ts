import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const [file = '', key = '', at = ''] = process.argv.slice(2)
const last = Number(at)
let steps = 0

/** Dies at the given step of what is done to files; between two steps nothing can be seen from outside. */
function step(): boolean {
  return ++steps === last
}
const die = (): void => void process.kill(process.pid, 'SIGKILL')

type Call = (...given: unknown[]) => Promise<unknown>

/** The same call, before or after which the process may die, or in its midst where it has one. */
function mortal(call: Call, midway?: (...given: unknown[]) => Promise<unknown>): Call {
  return async (...given) => {
    if (step()) {
      await midway?.(...given)
      die()
    }
    const result = await call(...given)
    if (step()) die()
    return result
  }
}

const calls = fs as unknown as Record<string, Call>
const { open, mkdir, readdir, readFile, realpath, rename, rm, stat } = calls as Record<'open' | 'mkdir' | 'readdir' | 'readFile' | 'realpath' | 'rename' | 'rm' | 'stat', Call> // prettier-ignore
Object.assign(calls, {
  ...Object.fromEntries(
    Object.entries({ mkdir, readdir, readFile, realpath, rename, rm, stat }).map(([name, call]) => [name, mortal(call)]),
  ),
  open: mortal(async (...given) => {
    const handle = (await open(...given)) as fs.FileHandle
    const write = handle.writeFile.bind(handle) as Call
    handle.writeFile = mortal(write, async text => await write(String(text).slice(0, 20))) as typeof handle.writeFile
    handle.sync = mortal(handle.sync.bind(handle) as Call) as typeof handle.sync
    return handle
  }),
})
syncBuiltinESMExports()

// After that, so that it is the changed calls that it finds.
const { credentialFile } = await import('#models')
await credentialFile(file).change('groq', kept => ({ ...kept, apiKey: key }))
process.stdout.write(`${steps}\n`)
