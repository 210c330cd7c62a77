import { z } from '@hono/zod-openapi'
import type { Command } from 'commander'
import { readContextSettings, settingsFor } from '#context'
import { type ErrorCode, errorRules, isSkeinError } from '#kernel'
import { configKeys, type ConfigKey, variableOf } from '../../src/agent/config-keys.ts'
import { createProgram } from '../../src/cli/program.ts'
import { routes } from '../../src/server/routes.ts'
import { quotedIn } from './raised-errors.ts'
import { toldConfig } from './told-config.ts'
import { toldErrors } from './told-errors.ts'
import { toldSettings } from './told-settings.ts'

/** The parts of pages that are made from the code, by page and name. `npm run docs` writes them, a test compares them. */
export const madeParts: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  'errors.md': { raised: () => errorTable(true), reserved: () => errorTable(false) },
  'http.md': { routes: routeTable },
  'cli.md': { commands: commandTable },
  'config.md': { keys: keyTable },
  'context.md': { settings: settingTable },
}

const begin = (name: string): string => `<!-- ${name}: made by npm run docs -->`
const end = '<!-- end -->'

/** A page with its made parts made anew. Throws for a part that has no place in it. */
export function withParts(page: string, parts: Readonly<Record<string, () => string>>): string {
  return Object.entries(parts).reduce((text, [name, make]) => {
    const from = text.indexOf(begin(name))
    const to = text.indexOf(end, from)
    if (from === -1 || to === -1) throw new Error(`There is no place for ${name}.`)
    return `${text.slice(0, from)}${begin(name)}\n\n${make()}\n\n${text.slice(to)}`
  }, page)
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')

function errorTable(raised: boolean): string {
  const codes = Object.keys(errorRules) as ErrorCode[]
  const quoted = quotedIn(codes)
  const rows = codes
    .filter(code => quoted.has(code) === raised)
    .map(code => {
      const { category, http, exit, retryable } = errorRules[code]
      const { text, details } = toldErrors[code]
      const rule = [`\`${code}\``, category, String(http), String(exit), retryable ? 'yes' : '']
      return raised ? [...rule, text, details.map(name => `\`${name}\``).join(' ')] : [...rule, text]
    })
  return table(['code', 'category', 'HTTP', 'exit', 'retryable', 'meaning', ...(raised ? ['details'] : [])], rows)
}

function routeTable(): string {
  return table(
    ['route', '', 'takes', 'scope', 'answers'],
    routes.map(({ method, path, scope, answers, summary, query, body }) => [
      `\`${method.toUpperCase()} ${path}\``,
      summary,
      [...fieldsOf(query).map(name => `?${name}`), ...fieldsOf(body)].map(name => `\`${name}\``).join(' '),
      scope,
      Object.keys(answers).join(', '),
    ]),
  )
}

/** The names that an object's schema has, those that may not be absent with a star. */
function fieldsOf(schema: unknown): string[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(fieldsOf).map(name => name.replace('*', ''))
  if (!(schema instanceof z.ZodObject)) return []
  return Object.entries(schema.shape as Readonly<Record<string, z.ZodType>>).map(([name, field]) =>
    field.safeParse(undefined).success ? name : `${name}*`,
  )
}

/** Never run, so it needs nothing of the outside. */
const program = createProgram(undefined as never, undefined as never, false)

interface Line {
  readonly usage: string
  readonly command: Command
}

function commandsOf(command: Command, above: string): Line[] {
  return command.commands
    .filter(({ parent }) => parent === command)
    .flatMap(child => {
      const name = `${above} ${child.name()}`
      const args = child.registeredArguments.map(argument => {
        const shown = `${argument.name().toUpperCase()}${argument.variadic ? '…' : ''}`
        return argument.required ? ` ${shown}` : ` [${shown}]`
      })
      const own = { usage: `${name}${args.join('')}`, command: child }
      const below = commandsOf(child, name)
      // A group that does nothing by itself is its commands.
      return below.length > 0 && child.description() !== 'the models that Skein knows' ? below : [own, ...below]
    })
}

function commandTable(): string {
  return table(
    ['command', '', 'options'],
    commandsOf(program, 'skein').map(({ usage, command }) => [
      `\`${usage}\``,
      escaped(command.description()),
      command.options.map(optionLine).join('<br>'),
    ]),
  )
}

function optionLine({ flags, description, argChoices }: Command['options'][number]): string {
  const choices = argChoices === undefined ? '' : `: ${argChoices.join(', ')}`
  return `\`${escaped(flags)}\` ${escaped(description)}${choices}`
}

const escaped = (text: string): string => text.replaceAll('|', '\\|')

function keyTable(): string {
  return table(
    ['key', 'variable', 'value', 'default', ''],
    configKeys.map(key => {
      const variable = variableOf(key.path)
      return [
        `\`${key.path.replaceAll('*', 'NAME')}\``,
        variable === undefined ? '' : `\`${variable}\``,
        kindOf(key),
        key.byDefault === undefined
          ? ''
          : Array.isArray(key.byDefault) && key.byDefault.length === 0
            ? 'none'
            : `\`${String(key.byDefault)}\``,
        `${key.personal === true ? '◦ ' : key.trusted === true ? '• ' : ''}${toldConfig[key.path] ?? ''}`,
      ]
    }),
  )
}

function kindOf({ kind }: ConfigKey): string {
  switch (kind.is) {
    case 'number':
    case 'fraction':
      return `${count(kind.min)}–${count(kind.max)}`
    case 'choice':
      return kind.of.map(item => `\`${item}\``).join(' ')
    case 'list':
      return kind.of === undefined ? 'list' : `list of ${kind.of.map(item => `\`${item}\``).join(' ')}`
    default:
      return kind.is
  }
}

function settingTable(): string {
  return table(
    ['setting', 'default', 'takes', ''],
    Object.entries(toldSettings).map(([name, told]) => [`\`${name}\``, defaultOf(name), expectedOf(name), told]),
  )
}

/** A default that depends on the budget is a share of it, at most what it is in a boundless one. */
function defaultOf(name: string): string {
  const most = settingIn(name, Number.MAX_SAFE_INTEGER)
  if (most === undefined) return ''
  if (typeof most !== 'number') return `\`${JSON.stringify(most).replaceAll('"', "'")}\``
  const share = Math.round(most / (settingIn(name, most) as number))
  return share > 1 && most > 1_000 ? `usable ÷ ${share}, at most ${count(most)}` : count(most)
}

function settingIn(name: string, usable: number): unknown {
  const [group = '', member] = name.split('.')
  const found = (settingsFor({}, { usable }) as unknown as Record<string, unknown>)[group]
  return member === undefined ? found : (found as Record<string, unknown>)[member]
}

/** What the settings' own check says of a value that no setting takes. */
function expectedOf(name: string): string {
  const [group = '', member] = name.split('.')
  try {
    readContextSettings({ [group]: member === undefined ? NaN : { [member]: NaN } })
  } catch (error) {
    const expected = isSkeinError(error) ? / Expected (.*)\.$/.exec(error.message)?.[1] : undefined
    if (expected !== undefined) return expected.replaceAll(/\d{4,}/g, digits => count(Number(digits)))
  }
  throw new Error(`Setting ${name} takes anything.`)
}

const count = (number: number): string => number.toLocaleString('en-US')
