import { main } from '#cli'

/** The command line as it is before it is built; stories start it as a process of its own. */
process.exitCode = await main(process.argv.slice(2))
