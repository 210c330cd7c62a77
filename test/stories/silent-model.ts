import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A provider in OpenAI's chat format that begins to answer and never goes on. */
export interface SilentModel {
  /** For the environment of a command: its base URL, and the model to name. */
  readonly env: Readonly<Record<string, string>>
  readonly model: string
  /** Resolves once so many requests are being answered. */
  asked(count: number): Promise<void>
  close(): Promise<void>
}

export async function startSilentModel(text: string): Promise<SilentModel> {
  const open: ServerResponse[] = []
  const heard = new Set<() => void>()
  const server: Server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = { id: 'x', object: 'chat.completion.chunk', created: 0, model: 'm', choices: [{ index: 0, delta: { role: 'assistant', content: text }, finish_reason: null }] } // prettier-ignore
    response.write(`data: ${JSON.stringify(chunk)}\n\n`)
    open.push(response)
    for (const hear of heard) hear()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    env: { OPENAI_COMPATIBLE_BASE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` },
    model: 'openai-compatible/m',
    asked: count =>
      new Promise(resolve => {
        const look = (): void => {
          if (open.length >= count) resolve()
        }
        heard.add(look)
        look()
      }),
    async close() {
      for (const response of open) response.destroy()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}
