import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileTools, type RewindItem, type Tool } from '#agent'
import { isSkeinError, type Json } from '#kernel'
import { isType } from '#journal'
import { scriptedModel } from '#models'
import { openSkein, type Session, type Skein } from '#skein'
import { afterEach, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function folder(): Promise<string> {
  const made = await realpath(await mkdtemp(join(tmpdir(), 'skein-rewind-')))
  closers.push(() => rm(made, { recursive: true, force: true }))
  return made
}

async function open(file: string, tools: readonly Tool[] = []): Promise<Skein> {
  const skein = await openSkein({ store: `sqlite:${file}`, worker: false, tools })
  closers.push(() => skein.close())
  return skein
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return isSkeinError(error) ? error.code : String(error)
  }
  return 'resolved'
}

/** A turn in which a model makes these calls, one after the other. */
async function turn(session: Session, ...calls: readonly { readonly tool: string; readonly input: Json }[]): Promise<string> {
  const model = scriptedModel([...calls.map(one => ({ calls: [one] })), 'Done.'])
  const ended = await session.send('go', { model }).result()
  expect(ended).toMatchObject({ status: 'done', steps: calls.length + 1 })
  return ended.turn
}

const write = (path: string, content: string) => ({ tool: 'write', input: { path, content } })
const edit = (path: string, oldText: string, newText: string) => ({ tool: 'edit', input: { path, oldText, newText } })
const acts = (items: readonly RewindItem[]): string[] =>
  items.map(({ path, action, reason }) => `${path}: ${action}, ${reason}`).sort()
const kept = async (file: string): Promise<string> =>
  `${await readFile(file, 'utf8')} ${((await stat(file)).mode & 0o777).toString(8)}`

interface Work {
  readonly cwd: string
  readonly store: string
  readonly skein: Skein
  readonly session: Session
  /** The checkpoints in which a.txt was made and b.bin changed first and again. */
  readonly made: readonly string[]
  readonly turn: string
}

/** Creates a.txt and edits b.bin twice. */
async function work(): Promise<Work> {
  const [cwd, place] = [await folder(), await folder()]
  const store = join(place, 'skein.db')
  await writeFile(join(cwd, 'b.bin'), 'first')
  await chmod(join(cwd, 'b.bin'), 0o751)
  const skein = await open(store, fileTools({ cwd }))
  const session = await skein.sessions.create({ cwd })
  const made = await turn(session, write('a.txt', 'new'), edit('b.bin', 'first', 'second'), edit('b.bin', 'second', 'third'))
  const checkpoints = (await session.checkpoints.list()).map(({ checkpoint }) => checkpoint)
  expect(checkpoints.length).toBe(3)
  expect(await kept(join(cwd, 'b.bin'))).toBe('third 751')
  return { cwd, store, skein, session, made: checkpoints, turn: made }
}

async function goBack({ session }: Pick<Work, 'session'>, to: string | undefined, more = {}): Promise<readonly RewindItem[]> {
  const { token } = await session.checkpoints.preview({ to: to ?? '', ...more })
  return (await session.checkpoints.apply(token)).items
}

async function expectBack({ session, cwd, made, turn: first }: Pick<Work, 'session' | 'cwd' | 'made' | 'turn'>): Promise<void> {
  expect(acts(await goBack({ session }, made[2]))).toEqual(['b.bin: restore, changed'])
  expect(await kept(join(cwd, 'b.bin'))).toBe('second 751')
  expect(await readdir(cwd)).toEqual(['a.txt', 'b.bin'])
  expect(acts(await goBack({ session }, first))).toEqual(['a.txt: remove, created', 'b.bin: restore, changed'])
  expect(await kept(join(cwd, 'b.bin'))).toBe('first 751')
  expect(await readdir(cwd)).toEqual(['b.bin'])
}

describe('going back', () => {
  verifies('A49', 'removes what was created, and gives bytes and mode back as they stood before', async () => {
    await expectBack(await work())
  })

  verifies('A49', 'can itself be taken back, by the checkpoint that it saved', async () => {
    const { session, cwd, made } = await work()
    const { token } = await session.checkpoints.preview({ to: made[0] ?? '' })
    const { checkpoint } = await session.checkpoints.apply(token)
    expect(await readdir(cwd)).toEqual(['b.bin'])
    expect(acts(await goBack({ session }, checkpoint ?? ''))).toEqual(['a.txt: restore, missing', 'b.bin: restore, changed'])
    expect(await readFile(join(cwd, 'a.txt'), 'utf8')).toBe('new')
    expect(await kept(join(cwd, 'b.bin'))).toBe('third 751')
  })

  verifies('A50', 'is the same after a restart', async () => {
    const { cwd, store, skein, session, made, turn: first } = await work()
    await skein.close()
    const again = await open(store, fileTools({ cwd }))
    await expectBack({ session: await again.sessions.open(session.id), cwd, made, turn: first })
  })

  verifies('A50', 'is the same in a fork, also when its source is gone', async () => {
    const { cwd, skein, session, made, turn: first } = await work()
    const fork = await session.fork()
    await skein.sessions.delete(session.id, { erase: true })
    await expectBack({ session: fork, cwd, made, turn: first })
  })

  verifies('A51', 'skips what was changed from outside, unless it is forced', async () => {
    const { session, cwd, made } = await work()
    await writeFile(join(cwd, 'b.bin'), 'by somebody else')
    expect(acts(await goBack({ session }, made[0]))).toEqual(['a.txt: remove, created', 'b.bin: skip, changed_outside'])
    expect(await readFile(join(cwd, 'b.bin'), 'utf8')).toBe('by somebody else')
    expect(acts(await goBack({ session }, made[0], { force: true }))).toContain('b.bin: restore, changed')
    expect(await kept(join(cwd, 'b.bin'))).toBe('first 751')
  })

  verifies('A51', 'is refused with nothing touched where a file changed after the preview', async () => {
    const { session, cwd, made } = await work()
    const { token, items } = await session.checkpoints.preview({ to: made[0] ?? '' })
    expect(acts(items)).toEqual(['a.txt: remove, created', 'b.bin: restore, changed'])
    expect(await readFile(join(cwd, 'a.txt'), 'utf8')).toBe('new')
    await chmod(join(cwd, 'b.bin'), 0o600)
    expect(await codeOf(session.checkpoints.apply(token))).toBe('checkpoint.stale')
    expect(await kept(join(cwd, 'b.bin'))).toBe('third 600')
    expect(await readFile(join(cwd, 'a.txt'), 'utf8')).toBe('new')
    await chmod(join(cwd, 'b.bin'), 0o751)
    await session.checkpoints.apply(token)
    expect(await codeOf(session.checkpoints.apply(token))).toBe('checkpoint.not_found')
  })

  it('follows no symlink that stands where a file or its folder stood', async () => {
    const [cwd, elsewhere] = [await folder(), await folder()]
    const session = await (await open(join(await folder(), 's.db'), fileTools({ cwd }))).sessions.create({ cwd })
    await mkdir(join(cwd, 'in'))
    await writeFile(join(cwd, 'in/x.txt'), 'before')
    await writeFile(join(cwd, 'y.txt'), 'before')
    await turn(session, edit('in/x.txt', 'before', 'after'), edit('y.txt', 'before', 'after'))
    await writeFile(join(elsewhere, 'x.txt'), 'after')
    await rm(join(cwd, 'in'), { recursive: true })
    await symlink(elsewhere, join(cwd, 'in'))
    await rm(join(cwd, 'y.txt'))
    await symlink(join(elsewhere, 'x.txt'), join(cwd, 'y.txt'))
    const [first] = await session.checkpoints.list()
    expect(acts(await goBack({ session }, first?.checkpoint, { force: true }))).toEqual([
      'in/x.txt: skip, no_plain_file',
      'y.txt: skip, no_plain_file',
    ])
    expect(await readFile(join(elsewhere, 'x.txt'), 'utf8')).toBe('after')
  })

  it('puts nothing back where this process may not write', async () => {
    const { store, skein, session, made } = await work()
    await skein.close()
    const other = await open(store, fileTools({ cwd: await folder() }))
    const again = await other.sessions.open(session.id)
    expect(acts(await goBack({ session: again }, made[0]))).toEqual(['a.txt: skip, outside_cwd', 'b.bin: skip, outside_cwd'])
  })

  it('takes the conversation back to before the turn', async () => {
    const { session, cwd } = await work()
    const before = (await session.info()).leafId
    const second = await turn(session, write('c.txt', 'more'))
    const { token, conversation } = await session.checkpoints.preview({ to: second, conversation: true })
    expect(conversation).toBe(before)
    await session.checkpoints.apply(token)
    expect((await session.info()).leafId).toBe(before)
    expect(await readdir(cwd)).toEqual(['a.txt', 'b.bin'])
  })
})

describe('what is kept', () => {
  it('stands in the commit that begins the call, and its outcome in the one that settles it', async () => {
    const { session } = await work()
    const types = (await session.entries({ limit: 1_000 })).map(({ type }) => type)
    const at = types.indexOf('effect_begun')
    expect(types.slice(at, at + 2)).toEqual(['effect_begun', 'checkpoint_saved'])
    expect(types.filter(type => type === 'checkpoint_settled').length).toBe(3)
  })

  it('is saved by hand under a label, absences and empty files included', async () => {
    const { session, cwd } = await work()
    await writeFile(join(cwd, 'empty'), '')
    const saved = await session.checkpoints.save({ paths: ['empty', 'later.txt'], label: 'by hand' })
    expect(saved).toMatchObject({
      cause: 'hand',
      label: 'by hand',
      files: [
        { path: 'empty', bytes: 0 },
        { path: 'later.txt', hash: null },
      ],
    })
    await turn(session, write('empty', 'full'), write('later.txt', 'late'))
    expect(acts(await goBack({ session }, 'by hand'))).toEqual(['empty: restore, changed', 'later.txt: remove, created'])
    expect(await readFile(join(cwd, 'empty'), 'utf8')).toBe('')
    expect(await codeOf(session.checkpoints.save({ paths: ['../x'] }))).toBe('input.invalid')
    expect(await codeOf(session.checkpoints.preview({ to: 'nothing' }))).toBe('checkpoint.not_found')
  })

  it('is what a tool of any kind asks to be kept', async () => {
    const cwd = await folder()
    await writeFile(join(cwd, 'x.txt'), 'before')
    const own: Tool = {
      name: 'own',
      description: 'Writes a file its own way.',
      input: {},
      run: async (_input, call) => {
        await call.checkpoint(['x.txt'])
        await writeFile(join(call.cwd ?? '', 'x.txt'), 'after')
      },
    }
    const session = await (await open(join(await folder(), 's.db'), [own])).sessions.create({ cwd })
    const first = await turn(session, { tool: 'own', input: {} })
    expect(acts(await goBack({ session }, first))).toEqual(['x.txt: skip, outside_cwd'])
    expect(acts(await goBack({ session }, first, { cwd }))).toEqual(['x.txt: restore, changed'])
    expect(await readFile(join(cwd, 'x.txt'), 'utf8')).toBe('before')
    const entries = await session.entries({ limit: 1_000 })
    expect(entries.filter(entry => isType(entry, 'files_rewound')).length).toBe(1)
  })
})
