import { Command } from 'commander'
import { type Act, type GlobalFlags, Invocation, type Runner } from './command.ts'
import type { Interrupts } from './interrupts.ts'
import type { Io } from './io.ts'
import { addApprovals } from './approvals.ts'
import { addArchives } from './archives.ts'
import { addChat } from './chat.ts'
import { addContextViews } from './context-views.ts'
import { addDoctor } from './doctor.ts'
import { addGateway } from './gateway.ts'
import { addJobs } from './jobs.ts'
import { addLogin } from './login.ts'
import { addMap } from './map.ts'
import { addMemory } from './memory.ts'
import { addModels } from './models.ts'
import { addRewind } from './rewind.ts'
import { addRun } from './run.ts'
import { addServe } from './serve.ts'
import { addSessionChanges } from './sessions-change.ts'
import { addSessions } from './sessions.ts'
import { addSessionTransfer } from './sessions-transfer.ts'
import { addSessionViews } from './session-views.ts'
import { addShowConfig } from './show-config.ts'
import { addState } from './state.ts'
import { addStoreCare } from './store-care.ts'
import { addToken } from './token.ts'
import { addTrust } from './trust.ts'
import { addVersion, ownVersion } from './version.ts'

/** The whole command line; parsing it runs the command. Nothing here ends the process. */
export function createProgram(io: Io, interrupts: Interrupts, json: boolean): Command {
  const program = new Command('skein')
  const run: Runner =
    <A extends readonly unknown[]>(act: Act<A>, keys: Readonly<Record<string, string>> = {}) =>
    async (...given) => {
      const command = given.at(-1) as Command
      const flags = command.optsWithGlobals<GlobalFlags & Record<string, unknown>>()
      const more = Object.fromEntries(Object.entries(keys).map(([option, key]) => [key, textOf(flags[option])]))
      // Commander hands in what the command declared, its arguments and its options, and itself.
      await act(new Invocation(io, flags, interrupts, more), ...(given.slice(0, -1) as unknown as A))
    }
  program
    .description('Durable sessions for AI agents.')
    .option('--store <address>', 'memory:, sqlite:FILE or postgres://…')
    .option('--url <address>', 'ask this server instead of opening a store')
    .option('--tenant <name>', 'whose sessions')
    .option('--config <file>', "read this instead of the user's configuration")
    .option('--json', 'print what HTTP would answer; streams as JSON Lines')
    .option('-q, --quiet', 'say nothing on stderr but errors')
    .option('-y, --yes', 'do not ask')
    .version(ownVersion(), '-V, --version', 'which Skein this is')
    .helpOption('-h, --help', 'show help')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: text => void io.stdout.write(text),
      writeErr: text => void (json ? undefined : io.stderr.write(text)),
      outputError: () => undefined,
    })
    .exitOverride()
  const sessions = program.command('sessions').description('the sessions of a store')
  addServe(program, run)
  addChat(program, run)
  addRun(program, run)
  addSessions(sessions, run)
  addSessionTransfer(sessions, run)
  addSessionChanges(sessions, run)
  addSessionViews(program, run)
  addContextViews(program, run)
  addApprovals(program, run)
  addRewind(program, run)
  addTrust(program, run)
  addState(program, run)
  addGateway(program, run)
  addJobs(program, run)
  addMap(program, run)
  addArchives(program, run)
  addMemory(program, run)
  addModels(program, run)
  addLogin(program, run)
  addDoctor(program, run)
  addStoreCare(program, run)
  addToken(program, run)
  addShowConfig(program, run)
  addVersion(program, run)
  return program
}

function textOf(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : String(value as string | number | boolean)
}
