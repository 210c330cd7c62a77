import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { given, invalidInput, isObject, type Json, type JsonObject } from '#kernel'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { fileError } from './file-error.ts'
import { findSession } from './name-session.ts'
import { Exit } from './report-error.ts'
import type { MapAsked, Verbs } from './verbs.ts'
import { wholeNumber } from './whole-number.ts'

interface MapFlags {
  readonly prompt?: string
  readonly schema?: string
  readonly agentic?: boolean
  readonly model?: string
  readonly system?: string
  readonly concurrency?: number
  readonly maxRetries?: number
  readonly timeoutMs?: number
  readonly continuation?: string
  readonly maxTurns?: number
  readonly mayWrite?: boolean
  readonly parent?: string
  readonly resume?: string
}

/** `skein map FILE`: a line in, a line out, as they come. */
export function addMap(program: Command, run: Runner): void {
  program
    .command('map')
    .argument('[file]', 'JSON Lines, one input each; - reads stdin')
    .option('--prompt <template>', 'what to ask of each: {{item}}, {{item.path}}')
    .option('--schema <file>', 'JSON Schema that answers must fit')
    .option('--agentic', 'give each to an agent in a sub-session instead of asking once')
    .option('--model <reference>', 'with this model')
    .option('--system <text>', 'system prompt')
    .option('--concurrency <count>', 'so many at once', wholeNumber)
    .option('--max-retries <count>', 'so many further attempts of each', wholeNumber)
    .option('--timeout-ms <ms>', 'for one attempt', wholeNumber)
    .option('--continuation <text>', 'said after a turn that ended before its time; with --agentic')
    .option('--max-turns <count>', 'at most this many turns of each; with --agentic', wholeNumber)
    .option('--may-write', 'with tools that change something; with --agentic')
    .option('--parent <session>', 'this session is told of it')
    .option('--resume <map>', 'go on with a map that stopped')
    .description('work on many inputs, each done once; prints a result a line as they come; exits 1 if one failed')
    .action(run(mapFile))
}

async function mapFile(invocation: Invocation, file: string | undefined, flags: MapFlags): Promise<void> {
  const { out, interrupts, settings } = invocation
  if (file === undefined && flags.resume === undefined) throw invalidInput('file', 'Give a file of inputs, or --resume.')
  const code = await withVerbs(invocation, async verbs => {
    const stop = new AbortController()
    const model = flags.model ?? (flags.resume === undefined ? settings.text('model') : undefined)
    const asked: MapAsked = {
      kind: flags.agentic === true ? 'agentic' : 'llm',
      options: await optionsOf(invocation, verbs, flags, model),
      signal: stop.signal,
      ...given({ resume: flags.resume, inputs: file === undefined ? undefined : await inputsOf(invocation, file) }),
    }
    const going = await verbs.map(asked)
    interrupts.take(() => stop.abort())
    out.talk(`map ${going.map}`)
    for await (const result of going.results()) await out.body(result)
    const { state, total, succeeded, failed } = await going.info()
    out.talk(`${succeeded} of ${total ?? 'unknown'} succeeded, ${failed} failed`)
    if (state !== 'ended') out.talk(`Stopped. Go on with: skein map --resume ${going.map}`)
    if (stop.signal.aborted) return 130
    return failed > 0 || state !== 'ended' ? 1 : 0
  })
  if (code !== 0) throw new Exit(code)
}

/** What was given, under the names of the verb. */
async function optionsOf(
  { io }: Invocation,
  verbs: Verbs,
  flags: MapFlags,
  model: string | undefined,
): Promise<MapAsked['options']> {
  const { prompt, system, concurrency, maxRetries, timeoutMs, continuation, maxTurns } = flags
  const readOnly = flags.mayWrite === true ? false : undefined
  const schema = flags.schema === undefined ? undefined : readSchema(resolve(io.cwd, flags.schema))
  const parent = flags.parent === undefined ? undefined : await findSession(verbs, flags.parent)
  const all = { prompt, schema, model, system, concurrency, maxRetries, timeoutMs, continuation, maxTurns, readOnly, parent }
  return given(all)
}

function readSchema(file: string): JsonObject {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw fileError(error, file)
  }
  try {
    const schema: unknown = JSON.parse(text)
    if (isObject(schema)) return schema as JsonObject
  } catch {
    // Said below.
  }
  throw invalidInput('--schema', 'Expected a JSON Schema.')
}

/** Opened at once, and read as inputs are needed, so a file may be larger than memory. */
async function inputsOf({ io }: Invocation, file: string): Promise<AsyncGenerator<Json>> {
  if (file === '-') return linesOf(io.stdin, file)
  try {
    const opened = await open(resolve(io.cwd, file))
    return linesOf(opened.createReadStream(), file)
  } catch (error) {
    throw fileError(error, file)
  }
}

async function* linesOf(input: NodeJS.ReadableStream, file: string): AsyncGenerator<Json> {
  let number = 0
  for await (const line of createInterface({ input })) {
    number++
    if (line.trim() === '') continue
    let value: Json
    try {
      value = JSON.parse(line) as Json
    } catch {
      throw invalidInput(`${file}:${number}`, 'Not JSON.')
    }
    yield value
  }
}
