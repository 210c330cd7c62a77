import { execFileSync, spawnSync } from 'node:child_process'
import { verifies } from '#verifies'
import { describe, expect } from 'vitest'
import { freshFile } from './setting.ts'

/** Whether strace may make system calls of a child fail. */
function canInject(): boolean {
  try {
    execFileSync('strace', ['-qq', '-o', '/dev/null', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const script = `
import { begin } from ${JSON.stringify(new URL('./journal.ts', import.meta.url).href)}
import { sqliteStore } from '#stores/sqlite'
const store = await sqliteStore(process.argv[1], { search: 'off' })
const author = await begin(store)
const outcomes = []
for (let n = 0; n < 8; n++) {
  const [said, keyed] = await Promise.allSettled([
    author.say('message ' + n),
    author.t.commit([{ type: 'put_record', collection: 'c', key: String(n), value: n }], { key: 'k' + n }),
  ])
  outcomes.push([said, keyed].map(outcome => outcome.reason?.code ?? outcome.value.durability))
}
const entries = (await author.t.entries(author.session)).length
const records = (await author.t.records('c')).items.length
const { findings } = await store.check({ deep: true })
process.stdout.write(JSON.stringify({ outcomes, entries, records, findings }))
await store.close()
`

interface Report {
  readonly outcomes: readonly (readonly string[])[]
  readonly entries: number
  readonly records: number
  readonly findings: readonly unknown[]
}

describe.skipIf(!canInject())('a disk that fails to sync once', () => {
  verifies(
    'J28',
    'the commit is looked up on a fresh connection: what is not there is refused whole, and the next one works',
    () => {
      for (const nth of [13, 15, 17]) {
        const { stdout, stderr } = spawnSync(
          'strace',
          [
            ...['-f', '-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'],
            ...['-e', `inject=fsync,fdatasync:error=EIO:when=${nth}`],
            ...[process.execPath, '--conditions=skein-source', '--input-type=module', '-e', script, freshFile()],
          ],
          { encoding: 'utf8' },
        )
        expect(stdout, stderr).not.toBe('')
        const { outcomes, entries, records, findings } = JSON.parse(stdout) as Report
        const whole = outcomes.filter(pair => pair.every(outcome => outcome === 'full')).length
        expect(outcomes.filter(pair => pair.every(outcome => outcome === 'store.unavailable'))).toHaveLength(1)
        expect(whole).toBe(7)
        expect(entries).toBe(1 + whole)
        expect(records).toBe(whole)
        expect(findings).toEqual([])
      }
    },
  )
})
