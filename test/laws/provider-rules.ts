/** What providers' documents ask of the messages of a request, checked on what is sent. Each answers with the faults it found. */
type Fields = { readonly [member: string]: unknown }

const idPattern = /^[A-Za-z0-9_-]{1,64}$/
const pictures = ['image/jpeg', 'image/png', 'image/gif', 'image/webp']
const isBlank = (value: unknown): boolean => typeof value !== 'string' || value.trim() === ''
const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? (value as Fields[]) : [])
const repeated = (values: readonly unknown[]): boolean => new Set(values).size !== values.length
const same = (a: readonly unknown[], b: readonly unknown[]): boolean => JSON.stringify(a) === JSON.stringify(b)

/** Bodies travel as UTF-8: JSON that escapes a lone surrogate is refused. */
const unicodeFaults = (body: unknown): string[] =>
  JSON.stringify(body).search(/(?<!\\)(\\\\)*\\ud[89a-f]/i) === -1 ? [] : ['lone surrogate']

/** The Messages API: user first, roles in turn, every tool_use answered first thing in the next message. */
export function anthropicFaults(messages: readonly Fields[]): string[] {
  const faults = unicodeFaults(messages)
  const ids: unknown[] = []
  let open: unknown[] = []
  for (const [at, { role, content }] of messages.entries()) {
    const expected = at % 2 === 0 ? 'user' : 'assistant'
    if (role !== expected) faults.push(`${at}: ${String(role)}, not ${expected}`)
    if (typeof content === 'string' ? isBlank(content) : list(content).length === 0) faults.push(`${at}: no content`)
    const blocks = list(content)
    const answered = blocks.filter(({ type }) => type === 'tool_result').map(block => block['tool_use_id'])
    if (repeated(answered) || !same([...answered].sort(), [...open].sort()))
      faults.push(`${at}: calls ${open.join()} answered by ${answered.join()}`)
    if (blocks.slice(0, answered.length).some(({ type }) => type !== 'tool_result')) faults.push(`${at}: results not first`)
    open = blocks.filter(({ type }) => type === 'tool_use').map(({ id }) => id)
    ids.push(...open)
    for (const block of blocks) faults.push(...anthropicBlockFaults(block, role).map(fault => `${at}: ${fault}`))
    const last = blocks.at(-1)?.['type']
    if (role === 'assistant' && (last === 'thinking' || last === 'redacted_thinking')) faults.push(`${at}: ends in thinking`)
  }
  if (open.length > 0) faults.push(`calls ${open.join()} not answered`)
  if (repeated(ids)) faults.push('call ids repeat')
  for (const id of ids) if (typeof id !== 'string' || !idPattern.test(id)) faults.push(`call id ${String(id)}`)
  return faults
}

function anthropicBlockFaults(block: Fields, role: unknown): string[] {
  const { type, source } = block
  const place = (expected: string): string[] => (role === expected ? [] : [`${String(type)} in a message of ${String(role)}`])
  switch (type) {
    case 'text':
      return isBlank(block['text']) ? ['blank text'] : []
    case 'thinking':
      return [...place('assistant'), ...(typeof block['signature'] === 'string' ? [] : ['thinking without a signature'])]
    case 'redacted_thinking':
      return place('assistant')
    case 'tool_use': {
      const { input } = block
      return [
        ...place('assistant'),
        ...(typeof input === 'object' && input !== null && !Array.isArray(input) ? [] : ['input is no object']),
      ]
    }
    case 'tool_result':
      return [
        ...place('user'),
        ...list(block['content']).flatMap(inner => anthropicBlockFaults(inner, 'user')),
        ...list(block['content']).flatMap(({ type: inner }) =>
          ['text', 'image', 'document'].includes(inner as string) ? [] : [`${String(inner)} in a result`],
        ),
      ]
    case 'image':
    case 'document': {
      const mediaType = (source as Fields | undefined)?.['media_type']
      const taken = type === 'image' ? pictures : ['application/pdf', 'text/plain']
      return [
        ...place('user'),
        ...(mediaType === undefined || taken.includes(mediaType as string)
          ? []
          : [`${String(type)} of ${JSON.stringify(mediaType)}`]),
      ]
    }
    default:
      return [`block ${String(type)}`]
  }
}

/** Chat Completions: behind an answer with tool_calls, one tool message for each, before anything else. */
export function chatFaults(messages: readonly Fields[]): string[] {
  const faults = unicodeFaults(messages)
  const ids: unknown[] = []
  let open = new Set<unknown>()
  for (const [at, message] of messages.entries()) {
    const { role, content } = message
    if (role === 'tool') {
      if (!open.delete(message['tool_call_id'])) faults.push(`${at}: a result of no open call`)
      if (typeof content !== 'string' && list(content).length === 0) faults.push(`${at}: a result without content`)
      continue
    }
    if (open.size > 0) faults.push(`${at}: calls ${[...open].join()} not answered`)
    const calls = list(message['tool_calls'])
    open = new Set(calls.map(({ id }) => id))
    ids.push(...open)
    if (role !== 'assistant' && calls.length > 0) faults.push(`${at}: calls of ${String(role)}`)
    for (const called of calls) {
      const asked = called['function'] as Fields
      if (called['type'] !== 'function' || typeof asked['name'] !== 'string' || typeof asked['arguments'] !== 'string')
        faults.push(`${at}: malformed call`)
    }
    if (calls.length === 0 && (typeof content === 'string' ? content === '' : list(content).length === 0))
      faults.push(`${at}: no content`)
    for (const { type } of list(content)) {
      const taken =
        role === 'user' ? ['text', 'image_url', 'input_audio', 'file'] : role === 'assistant' ? ['text', 'refusal'] : ['text']
      if (!taken.includes(type as string)) faults.push(`${at}: ${String(type)} in a message of ${String(role)}`)
    }
  }
  if (open.size > 0) faults.push(`calls ${[...open].join()} not answered`)
  if (repeated(ids)) faults.push('call ids repeat')
  for (const id of ids) if (typeof id !== 'string' || !idPattern.test(id)) faults.push(`call id ${String(id)}`)
  return faults
}

/** The Responses API: one output for each call, behind it; reasoning only before the answer that it led to. */
export function responsesFaults(items: readonly Fields[]): string[] {
  const faults = unicodeFaults(items)
  const called: unknown[] = []
  const open = new Set<unknown>()
  for (const [at, item] of items.entries()) {
    const { role, content } = item
    const type = item['type'] ?? (role === undefined ? undefined : 'message')
    switch (type) {
      case 'function_call':
        if (typeof item['arguments'] !== 'string' || typeof item['name'] !== 'string') faults.push(`${at}: malformed call`)
        called.push(item['call_id'])
        open.add(item['call_id'])
        break
      case 'function_call_output':
        if (!open.delete(item['call_id'])) faults.push(`${at}: an output of no open call`)
        break
      case 'reasoning': {
        const next = items[at + 1]
        const isAnswer =
          next !== undefined && (next['type'] === 'reasoning' || next['type'] === 'function_call' || next['role'] === 'assistant')
        if (!isAnswer) faults.push(`${at}: reasoning that nothing follows`)
        break
      }
      case 'message': {
        if (open.size > 0 && role !== 'assistant') faults.push(`${at}: a message before the outputs of ${[...open].join()}`)
        if (typeof content === 'string' ? content === '' : list(content).length === 0) faults.push(`${at}: no content`)
        const taken =
          role === 'assistant'
            ? ['output_text', 'refusal']
            : role === 'user'
              ? ['input_text', 'input_image', 'input_file']
              : ['input_text']
        for (const part of list(content))
          if (!taken.includes(part['type'] as string)) faults.push(`${at}: ${String(part['type'])} of ${String(role)}`)
        break
      }
      default:
        faults.push(`${at}: item ${JSON.stringify(type)}`)
    }
  }
  if (open.size > 0) faults.push(`calls ${[...open].join()} without output`)
  if (repeated(called)) faults.push('call ids repeat')
  for (const id of called) if (typeof id !== 'string' || !idPattern.test(id)) faults.push(`call id ${String(id)}`)
  return faults
}

/**
 * Gemini: user first; behind a turn of function calls one of as many responses, name by name; otherwise the roles in turn.
 * A user may speak right behind responses.
 */
export function geminiFaults(contents: readonly Fields[]): string[] {
  const faults = unicodeFaults(contents)
  let open: unknown[] = []
  let before: 'user' | 'model' | 'responses' | undefined
  for (const [at, { role, parts }] of contents.entries()) {
    const own = list(parts)
    const namesOf = (member: string): unknown[] =>
      own.flatMap(part => (part[member] === undefined ? [] : [(part[member] as Fields)['name']]))
    const answered = namesOf('functionResponse')
    if (own.length === 0) faults.push(`${at}: no parts`)
    if (own.some(part => part['text'] === '' && part['thoughtSignature'] === undefined)) faults.push(`${at}: empty text`)
    if (!same(open, answered)) faults.push(`${at}: calls ${open.join()} answered by ${answered.join()}`)
    open = namesOf('functionCall')
    if (open.length > 0 && role !== 'model') faults.push(`${at}: calls of ${String(role)}`)
    if (answered.length > 0 && role !== 'user') faults.push(`${at}: responses of ${String(role)}`)
    const now = answered.length > 0 ? 'responses' : role === 'model' ? 'model' : 'user'
    if (before === undefined && now !== 'user') faults.push(`${at}: begins with ${now}`)
    if (before === now) faults.push(`${at}: ${now} after ${now}`)
    before = now
  }
  if (open.length > 0) faults.push(`calls ${open.join()} not answered`)
  return faults
}
