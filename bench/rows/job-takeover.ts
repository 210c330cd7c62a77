import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { openSkein } from '#skein'
import { spread } from '../measure.ts'
import { folderIn } from '../opening.ts'
import { atMost, type Row } from '../row.ts'

/** How long after a worker was killed somebody else has done its job. */
export const jobTakeover: Row = async setting => {
  const times = setting.quick ? 1 : 3
  const taken: number[] = []
  for (let time = 0; time < times; time++) taken.push(await takeover(join(folderIn(setting), 'jobs.db')))
  return {
    title: 'A job whose worker was killed',
    lines: [
      {
        measure: 'from the kill until another process has done it, worst',
        unit: 'ms',
        skein: spread(taken).max,
        target: atMost(15_000, 'skein'),
      },
      { measure: 'the same, as measured each time', unit: 'ms', skein: spread(taken) },
    ],
    notes: ['A claim is held for 15 s at the most, and looked for each second.'],
  }
}

async function takeover(file: string): Promise<number> {
  const script = new URL('../children/stuck-worker.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--conditions=skein-source', script, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  // It says one line, once it has begun the job that it never ends.
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const session = String(line).trim()
  const skein = await openSkein({ store: `sqlite:${file}`, worker: true, memory: { commit: 'manual' } })
  try {
    const began = performance.now()
    child.kill('SIGKILL')
    await once(child, 'exit')
    await skein.jobs.idle({ session: session as `ses_${string}` }, { waitMs: 60_000 })
    return performance.now() - began
  } finally {
    await skein.close()
  }
}
