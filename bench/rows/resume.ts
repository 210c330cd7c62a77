import { execFile } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { largeStore } from '../large.ts'
import { type Contender, takeTurns, timeOnce, countOf } from '../measure.ts'
import { openRaw } from '../raw.ts'
import { atLeast, atMost, type Row, versus } from '../row.ts'

const run = promisify(execFile)
const shown = 50

/** Opening the file, then the session, then its newest messages; as a process does that starts anew. */
export const resume: Row = async setting => {
  const { opened, file, rawFile, peers, large, count } = await largeStore(setting)
  const { id } = large
  // Another opening of the same file would share this one's connection.
  await opened.skein.sessions.evict({ idleMs: 0 })
  const contenders: Contender[] = [
    {
      name: 'raw',
      round: async () => ({
        ms: await timeOnce(() => {
          const raw = openRaw(rawFile)
          raw.tail('large', shown)
          raw.close()
        }),
      }),
    },
    { name: 'skein', round: async () => child('resume', file, id) },
    ...peers.map((peer): Contender => ({
      name: peer.name,
      round: async () => ({ ms: await timeOnce(() => peer.resume?.('large', shown) as Promise<unknown>) }),
    })),
  ]
  const rounds = await takeTurns(contenders, setting)
  const memory = await takeTurns(
    [
      { name: 'node', round: () => child('nothing', file, id) },
      { name: 'import', round: () => child('import', file, id) },
      { name: 'resumed', round: () => child('resume', file, id) },
    ],
    { ...setting, rounds: Math.min(setting.rounds, 5) },
  )
  const rss = (name: string): number => memory.spreads[name]?.['rss']?.median ?? NaN
  return {
    title: `Resume at ${count.toLocaleString('en')} entries`,
    rounds: countOf(rounds),
    lines: [
      { ...versus(rounds, 'ms', { measure: `open and read the newest ${shown}`, unit: 'ms', target: atMost(3) }) },
      { measure: 'the same, absolute', unit: 'ms', skein: rounds.spreads['skein']?.['ms'], target: atMost(15, 'skein') },
      { measure: 'pi takes so many times as long', unit: '×', ratio: rounds.ratio('ms', 'pi', 'skein'), target: atLeast(100) },
      {
        measure: 'memory over that of the imported package',
        unit: 'MB',
        skein: rss('resumed') - rss('import'),
        target: atMost(15, 'skein'),
      },
      {
        measure: 'memory of importing the package, over bare Node',
        unit: 'MB',
        skein: rss('import') - rss('node'),
        target: atMost(60, 'skein'),
      },
    ],
    notes: [
      'Skein is timed within a fresh process, its modules loaded; raw and the peers within this one.',
      built()
        ? 'Memory is that of the built package.'
        : 'The package was not built, or its sources are newer: memory includes what stripping types takes.',
    ],
  }
}

/** Whether the package stands there as built from the sources as they are; an older one would be measured instead of them. */
function built(): boolean {
  const [source, made] = ['../../src', '../../dist/index.js'].map(path => fileURLToPath(new URL(path, import.meta.url))) as [
    string,
    string,
  ]
  if (!existsSync(made)) return false
  const newest = Math.max(...readdirSync(source, { recursive: true }).map(name => statSync(join(source, String(name))).mtimeMs))
  return newest <= statSync(made).mtimeMs
}

async function child(what: string, file: string, id: string): Promise<{ ms: number; rss: number }> {
  const script = new URL('../children/resume.ts', import.meta.url).pathname
  const { stdout } = await run(process.execPath, [
    ...(built() ? [] : ['--conditions=skein-source']),
    '--expose-gc',
    script,
    what,
    file,
    id,
  ])
  return JSON.parse(stdout) as { ms: number; rss: number }
}
