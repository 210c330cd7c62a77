import type { Tool } from './definition.ts'
import { type Desk, schemaOf, text, whole } from './file-tool.ts'
import { OutputTail } from './output-tail.ts'
import { runShell } from './shell.ts'

const secondsDefault = 30
const maxSeconds = 600
const graceMs = 2_000

export interface ShellOptions {
  /** Values by name that a command may ask for with `withSecrets`; hidden wherever they stand in its output. */
  readonly secrets: Readonly<Record<string, string>>
  /** What commands see of the environment. */
  readonly env: Readonly<Record<string, string | undefined>>
}

interface Asked {
  readonly command: string
  readonly timeoutSeconds?: number
  readonly withSecrets?: readonly string[]
}

/** Runs a shell command where the session works. It is not confined to that folder: only a sandbox does that. Law A31. */
export function bashTool({ place }: Desk, { secrets, env }: ShellOptions): Tool<Asked> {
  const names = Object.keys(secrets)
  return {
    name: 'bash',
    description:
      'Runs a shell command in the working folder and shows the end of what it says. What it leaves running is ended with it.',
    input: schemaOf(
      {
        command: text('for the shell'),
        timeoutSeconds: { ...whole(`default ${secondsDefault}, at most ${maxSeconds}`), maximum: maxSeconds },
        ...(names.length === 0
          ? {}
          : {
              withSecrets: {
                type: 'array',
                items: { type: 'string', enum: names },
                description: 'set as variables for this command; never shown',
              },
            }),
      },
      ['command'],
    ),
    kind: 'execute',
    // Its own limit comes first, with what the command said until then.
    timeoutMs: maxSeconds * 1_000 + 3 * graceMs,
    resources: ({ withSecrets = [] }) => withSecrets.map(secret => ({ secret })),
    run: async ({ command, timeoutSeconds = secondsDefault, withSecrets = [] }, { signal, progress }) => {
      const unknown = withSecrets.find(name => !Object.hasOwn(secrets, name))
      if (unknown !== undefined) throw new Error(`No secret named ${unknown} may be used.`)
      const given = Object.fromEntries(withSecrets.map(name => [name, secrets[name] ?? '']))
      const tail = new OutputTail()
      const { code, killedBy, timedOut } = await runShell({
        command,
        cwd: place.root,
        env: { ...env, ...given },
        timeoutMs: timeoutSeconds * 1_000,
        graceMs,
        signal,
        onOutput: chunk => {
          tail.take(chunk)
          // Hidden is only what is whole, and a chunk may hold half a secret.
          if (names.length === 0) progress(chunk.toString('utf8'))
        },
      })
      signal.throwIfAborted()
      // Also one that was not asked for may stand in a file that the command shows.
      const said = tail.text(Object.values(secrets))
      const end = timedOut
        ? `[Ended after ${timeoutSeconds} s, with everything that it had started.]`
        : code === 0
          ? ''
          : `[${code === null ? `Ended by ${killedBy ?? 'a signal'}` : `Exit code ${code}`}]`
      const content = [said.replace(/\n$/, ''), end].filter(part => part !== '').join('\n')
      return { content: content === '' ? '[No output.]' : content, isError: timedOut || code !== 0, details: { code, timedOut } }
    },
  }
}
