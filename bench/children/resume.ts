/** Does one thing in a fresh process and says how long it took and how much memory the process then has, in MB. */
const [what = '', file = '', id = ''] = process.argv.slice(2)
let ms = 0
if (what !== 'nothing') {
  const { openSkein } = await import('#skein')
  const { sqliteStore } = await import('#stores/sqlite')
  if (what === 'resume') {
    const began = performance.now()
    const store = await sqliteStore(file)
    const skein = await openSkein({ store, worker: false })
    const session = await skein.sessions.open(id)
    await session.messages({ limit: 50 })
    ms = performance.now() - began
  }
}
globalThis.gc?.()
console.log(JSON.stringify({ ms, rss: process.memoryUsage.rss() / 2 ** 20 }))
process.exit(0)
