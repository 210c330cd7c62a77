import type { Command } from 'commander'
import { given, isObject, invalidInput, type SessionId } from '#kernel'
import { builtInRoles, findRole, rulesOfRole } from '#agent'
import type { CreateOptions } from '#session'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { findSession } from './name-session.ts'
import { readAll } from './read-input.ts'
import { Exit } from './report-error.ts'
import { exitOfRun, streamRun, tellEnd } from './stream-run.ts'
import { answering, askAlone, isTerminal, TerminalUi } from './terminal-ui.ts'
import type { SendFlags, Verbs } from './verbs.ts'
import { wholeNumber } from './whole-number.ts'

interface RunFlags {
  readonly print?: boolean
  readonly continue?: boolean
  readonly session?: string
  readonly model?: string
  readonly maxSteps?: number
  readonly role?: string
  readonly user?: string
}

export const userHint = 'whose a new session is, and what it teaches'

/** `skein run TEXT`: one turn, and its outcome as the exit code. */
export function addRun(program: Command, run: Runner): void {
  program
    .command('run')
    .argument('<text...>', 'what to say; - reads stdin')
    .option('--print', 'only the answer, once it is whole')
    .option('-c, --continue', 'in the newest session of this folder')
    .option('--session <session>', 'in this one')
    .option('--model <reference>', 'with this model')
    .option('--role <name>', `as one of ${[...builtInRoles.keys()].join(', ')}`)
    .option('--user <name>', userHint)
    .option('--max-steps <count>', 'at most this many model requests', wholeNumber)
    .description('ask once; exits 0 done, 1 failed, 3 with concerns, 4 blocked, 5 needs you, 6 no credential, 130 cancelled')
    .action(run(runOnce, { model: 'model' }))
}

async function runOnce(invocation: Invocation, words: readonly string[], flags: RunFlags): Promise<void> {
  const { io, out, interrupts } = invocation
  if (flags.continue === true && flags.session !== undefined)
    throw invalidInput('--session', 'Give --session or --continue, not both.')
  const sent = sendOptions(invocation, flags)
  const text = words.length === 1 && words[0] === '-' ? await readAll(io.stdin) : words.join(' ')
  if (text.trim() === '') throw invalidInput('text', 'Say something.')
  // A program that reads the events answers approvals by itself.
  const ui = isTerminal(io) && !out.json && words[0] !== '-' ? new TerminalUi(out, askAlone(io)) : undefined
  const code = await withVerbs(
    invocation,
    async verbs => {
      const { session, created } = await chooseSession(invocation, verbs, flags)
      const started = await verbs.send(session, text, await withReachable(verbs, sent, flags)).catch(async (refused: unknown) => {
        // Refused, so nothing was said: no empty session stays behind.
        if (created) await verbs.delete(session, true).catch(() => undefined)
        throw refused
      })
      const events = started.events(new AbortController().signal)
      interrupts.take(() => void started.cancel().catch(() => undefined))
      try {
        const end = await streamRun(
          out,
          ui === undefined || invocation.server === undefined ? events : answering(events, verbs, ui),
          out.json ? 'json' : flags.print === true ? 'none' : 'text',
        )
        if (flags.print === true && !out.json) await out.line(end.text)
        if (!out.json) tellEnd(out, end)
        if (!out.json) out.talk(`session ${session}`)
        return exitOfRun(end)
      } catch (error) {
        // Nobody reads any more, so nobody waits for the rest.
        await started.cancel()
        throw error
      }
    },
    { tools: 'files', ...given({ ui }) },
  )
  if (code !== 0) throw new Exit(code)
}

interface Choice {
  readonly session?: string
  readonly model?: string
  readonly continue?: boolean
  /** Of a new one. */
  readonly user?: string
}

/** The named one, or the newest one of this folder. */
export async function existingSession({ io }: Invocation, verbs: Verbs, choice: Choice): Promise<SessionId | undefined> {
  if (choice.session !== undefined) return await findSession(verbs, choice.session)
  const [latest] = choice.continue === true ? (await verbs.list({ cwd: io.cwd, state: 'active', limit: 1 })).items : []
  return latest?.id
}

/** The same, or else a new one. */
export async function chooseSession(
  invocation: Invocation,
  verbs: Verbs,
  choice: Choice,
): Promise<{ readonly session: SessionId; readonly created: boolean }> {
  const { io, settings } = invocation
  const existing = await existingSession(invocation, verbs, choice)
  if (existing !== undefined) return { session: existing, created: false }
  const { model, user } = choice
  // Sessions of this machine read files and variables themselves; a server is told what they say here.
  const told = (key: string): string | undefined =>
    invocation.server === undefined || settings.layerOf(key) === 'default' ? undefined : settings.text(key)
  const [thinking, system] = [told('thinking'), told('system')]
  const named = model ?? told('model')
  const options: CreateOptions = {
    cwd: io.cwd,
    ...given({ model: named, thinking, system, user }),
  }
  return { session: (await verbs.create(options)).id, created: true }
}

export function sendOptions(
  { settings }: Invocation,
  { model, maxSteps, role: name }: { readonly model?: string; readonly maxSteps?: number; readonly role?: string },
): SendFlags {
  // A default is left to whoever runs it, which may be a server with another one.
  const steps = maxSteps ?? settings.stated('maxSteps')
  const role = name === undefined ? {} : findRole(name)
  const { mode, policy, autonomy } = rulesOfRole(role)
  return given({ model: model ?? role.model, maxSteps: steps, thinking: role.thinking, mode, policy, autonomy })
}

/** The same without the model of a role that cannot be had; one that was named is asked for, whatever comes of it. */
export async function withReachable(
  verbs: Pick<Verbs, 'checkModel'>,
  { model, ...more }: SendFlags,
  asked: { readonly model?: string },
): Promise<SendFlags> {
  if (model === undefined || asked.model !== undefined) return { ...more, ...given({ model }) }
  const check = await verbs.checkModel(model).catch(() => undefined)
  return isObject(check) && check['problem'] === null ? { ...more, model } : more
}
