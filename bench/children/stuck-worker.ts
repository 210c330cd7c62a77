import { openSkein } from '#skein'

/** Begins to write an overview, says the session, and never ends. */
const [file = ''] = process.argv.slice(2)
const skein = await openSkein({
  store: `sqlite:${file}`,
  worker: true,
  memory: {
    commit: 'manual',
    extractor: 'off',
    archiver: {
      id: 'stuck',
      write: () => {
        console.log(session.id)
        return new Promise(() => setInterval(() => undefined, 1_000))
      },
    },
  },
})
const session = await skein.sessions.create()
await session.append([{ role: 'user', content: 'Fix the parser.' }])
await session.commit()
