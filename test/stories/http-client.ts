import { z } from 'zod'

interface Operation {
  readonly operationId: string
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>>
}

export interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly value: unknown
}

export interface Asked {
  readonly body?: unknown
  /** Sent as it is. */
  readonly raw?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A client that holds every answer against the server's own document, and notes which operations answered. */
export class DocumentedClient {
  readonly url: string
  readonly document: Document
  /** `operation status` of each answer so far. */
  readonly answered = new Set<string>()
  readonly #schemas = new Map<string, z.ZodType>()

  constructor(url: string, document: Document) {
    this.url = url
    this.document = document
  }

  static async of(url: string): Promise<DocumentedClient> {
    return new DocumentedClient(url, (await (await fetch(`${url}/openapi.json`)).json()) as Document)
  }

  async ask(method: string, path: string, { body, raw, headers = {} }: Asked = {}): Promise<Answered> {
    const json = body === undefined ? {} : { 'content-type': 'application/json' }
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const response = await fetch(this.url + path, {
      method,
      headers: { ...json, ...headers },
      ...(payload === undefined ? {} : { body: payload }),
    })
    const text = await response.text()
    this.check(method, path, response, text)
    const isJson = response.headers.get('content-type') === 'application/json'
    return { status: response.status, headers: response.headers, text, value: isJson ? JSON.parse(text) : undefined }
  }

  /** Throws where the answer isn't one that the document tells of. */
  check(method: string, path: string, response: Response, text: string): void {
    const found = this.operationOf(method, path.split('?')[0] ?? '')
    if (found === undefined) {
      if (response.status === 404 && text.includes('path.not_found')) return
      throw new Error(`${method} ${path} answered ${response.status}, and no document tells of it.`)
    }
    const told = found.responses[String(response.status)] ?? (response.ok ? undefined : found.responses['default'])
    const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? ''
    const content = told?.content?.[type]
    if (content === undefined)
      throw new Error(`${method} ${path} answered ${response.status} ${type}, of which ${found.operationId} tells nothing.`)
    this.answered.add(`${found.operationId} ${response.status}`)
    if (type !== 'application/json') return
    const read = this.#schema(`${found.operationId} ${response.status}`, content.schema).safeParse(JSON.parse(text))
    if (!read.success)
      throw new Error(
        `${method} ${path} answered what ${found.operationId} doesn't tell:\n${z.prettifyError(read.error)}\n${text.slice(0, 500)}`,
      )
  }

  /** Of paths that fit, the one with the fewest parameters. */
  operationOf(method: string, path: string): Operation | undefined {
    const fitting = Object.keys(this.document.paths)
      .filter(template => new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+').replaceAll('.', '\\.')}$`).test(path))
      .filter(template => this.document.paths[template]?.[method.toLowerCase()] !== undefined)
      .sort((a, b) => a.split('{').length - b.split('{').length)
    return fitting[0] === undefined ? undefined : this.document.paths[fitting[0]]?.[method.toLowerCase()]
  }

  #schema(name: string, schema: object): z.ZodType {
    const known = this.#schemas.get(name)
    if (known !== undefined) return known
    const whole = JSON.stringify({ ...schema, $defs: this.document.components.schemas }).replaceAll(
      '#/components/schemas/',
      '#/$defs/',
    )
    const made = z.fromJSONSchema(JSON.parse(whole) as Parameters<typeof z.fromJSONSchema>[0])
    this.#schemas.set(name, made)
    return made
  }
}

export interface Frame {
  readonly event: string
  readonly id: string | undefined
  readonly data: Readonly<Record<string, unknown>>
}

/** Reads server-sent events until told to stop; then the connection is cut. */
export async function readEvents(
  url: string,
  headers: Readonly<Record<string, string>>,
  until: (frame: Frame) => boolean,
): Promise<Frame[]> {
  const stop = new AbortController()
  const response = await fetch(url, { headers, signal: stop.signal })
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  const frames: Frame[] = []
  let rest = ''
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    rest += piece
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const text = rest.slice(0, end)
      rest = rest.slice(end + 2)
      const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1]
      const event = field('event')
      if (event === undefined) continue
      const frame = { event, id: field('id'), data: JSON.parse(field('data') ?? '{}') as Frame['data'] }
      frames.push(frame)
      if (!until(frame)) continue
      stop.abort()
      return frames
    }
  }
  return frames
}
