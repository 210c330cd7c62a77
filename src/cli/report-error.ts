import { CommanderError } from 'commander'
import { asSkeinError, type ErrorCode, errorRules, isObject, SkeinError } from '#kernel'
import { Interrupted } from './interrupts.ts'
import type { Io } from './io.ts'
import { ClosedPipe } from './output.ts'

/** The command ends with this code and has said all that there is to say. */
export class Exit extends Error {
  override readonly name = 'Exit'
  readonly code: number

  constructor(code: number) {
    super(`exit ${code}`)
    this.code = code
  }
}

/** Says what went wrong, as a sentence or as HTTP's error body, and gives the exit code of the one table. Laws H14, H15. */
export function reportError(io: Pick<Io, 'stderr' | 'newId'>, json: boolean, thrown: unknown): number {
  if (thrown instanceof ClosedPipe) return 0
  if (thrown instanceof Exit || thrown instanceof Interrupted) return thrown.code
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0
  const error =
    thrown instanceof CommanderError
      ? new SkeinError(
          'input.invalid',
          thrown.code === 'commander.help' ? 'Name a command.' : thrown.message.replace(/^error: /, ''),
        )
      : asSkeinError(thrown)
  io.stderr.write(json ? `${JSON.stringify(errorBody(error, io))}\n` : `skein: ${error.message}\n${hintOf(error)}`)
  return errorRules[error.code].exit
}

/** The body that HTTP answers with. */
export function errorBody(error: SkeinError, io: Pick<Io, 'newId'>): unknown {
  const { code, message, retryable, details, cause } = error
  const told = isObject(cause) && typeof cause['requestId'] === 'string' ? cause['requestId'] : undefined
  return { error: { code, message, retryable, details, requestId: told ?? io.newId('req') } }
}

/** What to do at a shell, where the sentence that all faces share doesn't say it. */
const hints: Readonly<Partial<Record<ErrorCode, string>>> = {
  'skein.bug': 'This is a fault of Skein. Please report it with the command that you gave.',
  'session.not_found': 'skein sessions ls lists what there is; --state deleted what was deleted.',
  'session.busy': 'Try again when the other one is done.',
  'auth.missing': 'skein login PROVIDER keeps a key.',
  'auth.required': 'Put the token into SKEIN_TOKEN. Where the store is, skein token new makes one.',
}

function hintOf({ code }: SkeinError): string {
  const hint = hints[code]
  return hint === undefined ? '' : `${hint}\n`
}
