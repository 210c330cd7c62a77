import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionId } from '#kernel'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { makePlace, type Place, shell } from './command-line.ts'

let place: Place
beforeAll(() => void (place = makePlace()))
afterAll(() => place.remove())

async function json<T>(args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await place.here([...args, '--json'])
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as T
}

interface Info {
  readonly id: string
  readonly title: string | null
  readonly messages: number
  readonly state: string
}

async function newSession(text: string): Promise<Info> {
  const { code, stderr } = await place.skein(['run', text])
  if (code !== 0) throw new Error(stderr)
  const { items } = await json<{ items: Info[] }>(['sessions', 'ls', '--limit', '1'])
  return items[0] as Info
}

describe('the first run', () => {
  verifies('H19', 'without credentials run hi answers on stdout and says on stderr that it is a demo', async () => {
    const { code, stdout, stderr } = await place.skein(['run', 'hi'])
    expect([code, stdout]).toEqual([0, 'You said: hi\n'])
    expect(stderr).toContain('demo model: no language model is connected\n')
  })

  it('as a role takes its model where that can be had, and a model that was named in any case', async () => {
    const plain = await place.here(['run', 'Hello', '--role', 'explorer', '--print'])
    expect([plain.code, plain.stdout]).toEqual([0, 'You said: Hello\n'])
    expect((await place.here(['run', 'Hello', '--role', 'explorer', '--model', 'haiku'])).code).toBe(6)
    expect((await place.here(['run', 'Hello', '--role', 'nobody'])).code).toBe(2)
  })

  it('makes its folders for their owner alone', () => {
    const folder = dirname(place.store)
    // Beside the store stands what it needs; all of it has somebody's words in it.
    const modes = readdirSync(folder).map(name => [name, statSync(join(folder, name)).mode & 0o777])
    expect(modes).toContainEqual(['skein.db', 0o600])
    expect(modes.filter(([, mode]) => mode !== 0o600)).toEqual([])
    for (const folder of ['.local', '.local/share', '.local/share/skein'])
      expect(statSync(join(place.home, folder)).mode & 0o777).toBe(0o700)
  })

  it('goes on where it was with --continue, in the same folder alone', async () => {
    const before = await newSession('one')
    await place.skein(['run', '--continue', 'two'])
    expect((await json<Info>(['sessions', 'show', before.id])).messages).toBe(4)
    const elsewhere = await place.skein(['run', '-c', 'three'], { cwd: place.home })
    expect(elsewhere.code).toBe(0)
    expect((await json<Info>(['sessions', 'show', before.id])).messages).toBe(4)
  })

  it('reads what to say from stdin, and prints only the answer with --print', async () => {
    const { stdout, stderr } = await place.skein(['run', '-', '--print', '--quiet'], { input: 'from a pipe' })
    expect([stdout, stderr]).toEqual(['You said: from a pipe\n', ''])
  })

  it('prints its events as JSON Lines, and its result as the last', async () => {
    const { stdout } = await place.skein(['run', 'hi', '--json'])
    const events = stdout.trimEnd().split('\n').map(line => JSON.parse(line) as { type: string; entry?: { data: unknown } }) // prettier-ignore
    expect([events[0]?.type, events.at(-2)?.type]).toEqual(['run_started', 'run_ended'])
    expect(events.at(-2)?.entry?.data).toMatchObject({ status: 'done' })
    expect(events.at(-1)).toMatchObject({ status: 'done', text: 'You said: hi' })
    expect(events.filter(({ type }) => type === 'text_delta').length).toBeGreaterThan(0)
  })
})

describe('exit codes', () => {
  verifies('H15', 'an unknown session is 7, a bad flag 2, a missing credential 6, a corrupt file 1', async () => {
    expect((await place.skein(['sessions', 'show', 'nobody'])).code).toBe(7)
    expect((await place.skein(['sessions', 'ls', '--frobnicate'])).code).toBe(2)
    expect((await place.skein(['sessions', 'ls', '--limit', '201'])).code).toBe(2)
    expect((await place.skein(['run', '--model', 'sonnet', 'hi'])).code).toBe(6)
    const { id } = await newSession('to be damaged')
    await place.skein(['backup', 'damaged.db'])
    const file = join(place.cwd, 'damaged.db')
    const bytes = readFileSync(file)
    bytes.fill(0xff, 4_096, Math.min(bytes.length, 40_960))
    writeFileSync(file, bytes)
    const { code, stderr } = await place.skein(['sessions', 'show', id, '--store', `sqlite:${file}`])
    expect([code, stderr]).toEqual([1, expect.stringContaining('damaged.db')])
  })

  verifies('H15', 'a file that is not a store is 8 and stays as it is', async () => {
    const file = join(place.cwd, 'notes.txt')
    writeFileSync(file, 'not a store at all, '.repeat(50))
    expect((await place.skein(['sessions', 'ls', '--store', 'sqlite:notes.txt'])).code).toBe(8)
    expect(readFileSync(file, 'utf8')).toBe('not a store at all, '.repeat(50))
  })

  verifies('H15', 'a session that another process writes is 8, a full disk 9', async () => {
    const { id } = await newSession('to be busy')
    await using skein = await openSkein({ store: `sqlite:${place.store}` })
    const fence = await skein.store.in('default').acquire(id as SessionId, 'somebody else', 60_000)
    expect((await place.skein(['run', '--session', id, 'hi'])).code).toBe(8)
    await skein.store.in('default').release(fence)
    const full = await shell(place, `skein sessions export ${id} - > /dev/full`)
    expect([full.code, full.stderr]).toEqual([9, 'skein: There is no space for the output.\n'])
  })

  it('come with the error body of HTTP on stderr under --json', async () => {
    const { code, stdout, stderr } = await place.skein(['sessions', 'show', 'nobody', '--json'])
    expect([code, stdout]).toEqual([7, ''])
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'session.not_found',
        message: expect.any(String) as string,
        retryable: false,
        details: { session: 'nobody' },
        requestId: expect.stringMatching(/^req_/) as string,
      },
    })
    expect(JSON.parse((await place.skein(['sessions', 'ls', '--frobnicate', '--json'])).stderr)).toMatchObject({
      error: { code: 'input.invalid' },
    })
  })

  it('of no command at all is 2, with the help on stderr; of --help 0, with the help on stdout', async () => {
    for (const args of [[], ['sessions']]) {
      const { code, stdout, stderr } = await place.here(args)
      expect([code, stdout, stderr.startsWith('Usage: skein')]).toEqual([2, '', true])
    }
    const help = await place.here(['sessions', 'ls', '--help'])
    expect([help.code, help.stdout.includes('--cursor'), help.stdout.includes('--tenant'), help.stderr]).toEqual([
      0,
      true,
      true,
      '',
    ])
    expect(JSON.parse((await place.here(['sessions', '--json'])).stderr)).toMatchObject({ error: { code: 'input.invalid' } })
  })

  it('of a run that was refused leave no session behind', async () => {
    const before = await json<{ items: Info[] }>(['sessions', 'ls'])
    await place.skein(['run', '--model', 'sonnet', 'hi'])
    expect((await json<{ items: Info[] }>(['sessions', 'ls'])).items).toEqual(before.items)
  })

  it('name the candidates where a name means several', async () => {
    const [one, two] = [await newSession('first of two'), await newSession('second of two')]
    for (const { id } of [one, two]) await place.skein(['sessions', 'rename', id, 'Twins'])
    const { code, stderr } = await place.skein(['sessions', 'show', 'Twins'])
    expect([code, stderr.includes(one.id), stderr.includes(two.id)]).toEqual([2, true, true])
  })
})

describe('pipes', () => {
  verifies('H16', 'export - | import - keeps everything', async () => {
    const { id } = await newSession('to be carried')
    const other = join(place.cwd, 'other.db')
    const { code, stdout } = await shell(
      place,
      `set -o pipefail; skein sessions export ${id} - | skein sessions import - --store sqlite:${other}`,
    )
    expect([code, stdout]).toEqual([0, `${id}\n`])
    await place.skein(['sessions', 'export', id, 'a.jsonl'])
    await place.skein(['sessions', 'export', id, 'b.jsonl', '--store', `sqlite:${other}`])
    const [a, b] = ['a.jsonl', 'b.jsonl'].map(file => readFileSync(join(place.cwd, file), 'utf8').split('\n').slice(1)) // prettier-ignore
    expect(a?.length).toBeGreaterThan(5)
    expect(b).toEqual(a)
  })

  verifies('H16', 'ls | head -1 exits 0, without a word on stderr', async () => {
    const { stdout, stderr } = await shell(place, 'skein sessions ls | head -1; echo "${PIPESTATUS[0]}"')
    expect([stdout.trimEnd().split('\n').at(-1), stderr]).toEqual(['0', ''])
  })

  verifies('H16', 'a reader that is gone ends any command with 0, also one without an end', async () => {
    const { id } = await newSession('to be watched')
    for (const command of ['sessions ls --json', `sessions export ${id}`, `watch ${id}`]) {
      const { stdout, stderr } = await shell(place, `skein ${command} | true; echo "\${PIPESTATUS[0]}"`)
      expect([command, stdout, stderr]).toEqual([command, '0\n', ''])
    }
  })
})

describe('what would be lost', () => {
  verifies('H17', 'rm without a terminal and without --yes exits 2 and deletes nothing', async () => {
    const { id } = await newSession('to be kept')
    for (const more of [[], ['--erase']]) expect((await place.skein(['sessions', 'rm', id, ...more])).code).toBe(2)
    expect((await json<Info>(['sessions', 'show', id])).state).toBe('active')
  })

  verifies('S12', 'a deleted session is unknown to every command but restore, which brings all back', async () => {
    const { id } = await newSession('to be deleted')
    await place.skein(['sessions', 'rename', id, 'Gone soon'])
    const before = await json<Info>(['sessions', 'show', id])
    expect((await place.skein(['sessions', 'rm', id, '--yes'])).code).toBe(0)
    for (const args of [
      ['sessions', 'show', id],
      ['sessions', 'show', 'Gone soon'],
      ['sessions', 'tree', id],
      ['sessions', 'export', id],
      ['context', id],
      ['usage', id],
      ['watch', id],
      ['sessions', 'rm', id, '--yes'],
      ['sessions', 'fork', id],
      ['run', '--session', id, 'hi'],
    ]) {
      expect([args, (await place.here(args)).code]).toEqual([args, 7])
    }
    expect((await json<{ items: Info[] }>(['sessions', 'ls'])).items.map(info => info.id)).not.toContain(id)
    expect((await place.skein(['sessions', 'restore', 'Gone soon'])).stdout).toBe(`${id}\n`)
    expect(await json<Info>(['sessions', 'show', id])).toMatchObject({
      title: before.title,
      messages: before.messages,
      state: 'active',
    })
    expect((await place.skein(['sessions', 'rm', id, '--erase', '--yes'])).code).toBe(0)
    expect((await place.skein(['sessions', 'restore', id])).code).toBe(7)
  })

  it('is asked for when a file would be overwritten', async () => {
    const { id } = await newSession('to be written')
    writeFileSync(join(place.cwd, 'taken.jsonl'), 'mine')
    expect((await place.skein(['sessions', 'export', id, 'taken.jsonl'])).code).toBe(2)
    expect((await place.skein(['backup', 'taken.jsonl'])).code).toBe(2)
    expect(readFileSync(join(place.cwd, 'taken.jsonl'), 'utf8')).toBe('mine')
    expect((await place.skein(['sessions', 'export', id, 'taken.jsonl', '--yes'])).code).toBe(0)
    expect(readFileSync(join(place.cwd, 'taken.jsonl'), 'utf8')).toMatch(/^\{"skein":1,/)
  })
})

describe('one session', () => {
  it('is renamed, labelled, forked, found and shown', async () => {
    const { id } = await newSession('a peculiar needle')
    expect((await place.skein(['sessions', 'rename', id, '  Hay \n stack '])).stdout).toBe('Hay stack\n')
    const tree = await json<{ id: string }>(['sessions', 'tree', 'Hay stack'])
    expect((await place.skein(['sessions', 'label', id, tree.id, 'the root'])).code).toBe(0)
    expect((await place.skein(['sessions', 'tree', id])).stdout).toContain('[the root]')
    const fork = (await place.skein(['sessions', 'fork', id, '--title', 'Copy'])).stdout.trim()
    expect((await json<Info>(['sessions', 'show', fork])).messages).toBe(2)
    const { hits } = await json<{ hits: { session: string }[] }>(['sessions', 'search', 'peculiar', 'needle'])
    expect(hits.map(hit => hit.session)).toContain(id)
    expect((await place.skein(['sessions', 'show', id])).stdout).toContain('You said: a peculiar needle')
    expect((await place.skein(['context', id])).stdout).toContain('a peculiar needle')
    expect((await place.skein(['usage', id, '--by', 'model'])).stdout).toContain('demo/echo')
  })

  verifies('S19', 'is reached by its alias wherever an id is', async () => {
    const skein = await openSkein({ store: `sqlite:${place.store}` })
    const { id } = await skein.sessions.open('chat-42', { orCreate: { user: 'u1' } })
    await skein.close()
    const shown = await json<Info & { alias: string }>(['sessions', 'show', 'chat-42'])
    expect([shown.id, shown.alias]).toEqual([id, 'chat-42'])
    expect((await place.skein(['run', '--session', 'chat-42', 'again'])).stdout).toBe('You said: again\n')
    expect((await json<Info>(['sessions', 'show', id])).messages).toBe(2)
  })
})
