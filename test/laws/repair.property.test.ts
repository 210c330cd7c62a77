import { type Family, repair } from '#context'
import type { Message, Part } from '#journal'
import { type ConnectedModel, createModels, type RequestMessage } from '#models'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { writeMessages } from '../../src/session/formats/messages.ts'
import {
  anthropicFrames,
  chatFrames,
  type FaultServer,
  faultServer,
  googleFrames,
  responsesFrames,
} from '../models/fault-server.ts'
import { anthropicFaults, chatFaults, geminiFaults, responsesFaults } from './provider-rules.ts'
import { makers, randomBranch, soundTurns } from './random-branch.ts'

const families = ['anthropic', 'openai', 'google'] as const satisfies Family[]
const model = fc.constantFrom(...Object.values(makers).map(maker => maker.model), undefined)
const modelled = { numRuns: 1_000 }
/** Through a provider's own client and a socket. */
const sent = { numRuns: 150 }

const bytes = new Uint8Array([1, 2, 3])
const withBytes = (messages: readonly Message[]): RequestMessage[] =>
  messages.map(message => ({
    ...message,
    parts: message.parts.map(part => (part.type === 'file' && part.url === undefined ? { ...part, data: bytes } : part)),
  }))

describe('any branch, repaired and written', () => {
  const written = (format: 'anthropic' | 'openai' | 'openai-responses', messages: readonly Message[]) =>
    writeMessages(format, withBytes(messages)) as { readonly [member: string]: unknown }[]

  verifies('C33', 'satisfies the Messages API', () => {
    fc.assert(
      fc.property(randomBranch, model, (branch, asked) => {
        const { messages } = repair(branch, { family: 'anthropic', model: asked })
        expect(anthropicFaults(written('anthropic', messages))).toEqual([])
      }),
      modelled,
    )
  })

  verifies('C33', 'satisfies Chat Completions and the Responses API', () => {
    fc.assert(
      fc.property(randomBranch, model, (branch, asked) => {
        const { messages } = repair(branch, { family: 'openai', model: asked })
        expect(chatFaults(written('openai', messages))).toEqual([])
        expect(responsesFaults(written('openai-responses', messages))).toEqual([])
      }),
      modelled,
    )
  })

  it('would not have satisfied them as it was', () => {
    const faulty = (faultsOf: (messages: readonly Message[]) => string[]): number =>
      fc.sample(randomBranch, { numRuns: 200, seed: 7 }).filter(branch => faultsOf(branch).length > 0).length
    expect(faulty(branch => anthropicFaults(written('anthropic', branch)))).toBeGreaterThan(100)
    expect(faulty(branch => chatFaults(written('openai', branch)))).toBeGreaterThan(100)
    expect(faulty(branch => responsesFaults(written('openai-responses', branch)))).toBeGreaterThan(100)
  })
})

describe('any branch, repaired and sent', () => {
  const providers = [
    { family: 'anthropic', reference: 'sonnet', frames: anthropicFrames, faultsOf: anthropicFaults, member: 'messages' },
    { family: 'openai', reference: 'gpt5', frames: responsesFrames, faultsOf: responsesFaults, member: 'input' },
    { family: 'openai', reference: 'deepseek', frames: chatFrames, faultsOf: chatFaults, member: 'messages' },
    { family: 'google', reference: 'gemini-flash', frames: googleFrames, faultsOf: geminiFaults, member: 'contents' },
  ] as const

  describe.each(providers)('to $reference', ({ family, reference, frames, faultsOf, member }) => {
    let server: FaultServer
    let connected: ConnectedModel
    beforeAll(async () => {
      server = await faultServer([{ frames: frames({ text: 'ok' }) }])
      const env = {
        ANTHROPIC_API_KEY: 'sk-ant',
        ANTHROPIC_BASE_URL: `${server.url}/v1`,
        OPENAI_API_KEY: 'sk-oai',
        OPENAI_BASE_URL: `${server.url}/v1`,
        GOOGLE_API_KEY: 'sk-goo',
        GOOGLE_BASE_URL: `${server.url}/v1beta`,
        DEEPSEEK_API_KEY: 'sk-ds',
        DEEPSEEK_BASE_URL: `${server.url}/v1`,
      }
      connected = await createModels({ env }).connect(reference)
    })
    afterAll(() => server[Symbol.asyncDispose]())

    verifies('C33', 'satisfies what it documents', async () => {
      const live = new AbortController().signal
      await fc.assert(
        fc.asyncProperty(randomBranch, fc.boolean(), async (branch, isNamed) => {
          const asked = `${connected.provider}/${connected.modelId}`
          const { messages } = repair(branch, { family, model: isNamed ? asked : undefined })
          if (messages.length === 0) return
          const before = server.requests.length
          const ends = []
          for await (const event of connected.stream({ messages: withBytes(messages), tools: [], maxTokens: 100 }, live)) {
            if (event.type === 'failed') throw event.error
            if (event.type === 'ended') ends.push(event)
          }
          expect(ends).toHaveLength(1)
          const [request] = server.requests.slice(before)
          const body = request?.body as { readonly [name: string]: readonly { readonly [of: string]: unknown }[] | undefined }
          expect(faultsOf(body[member] ?? [])).toEqual([])
        }),
        sent,
      )
    })
  })
})

describe('repairing any branch', () => {
  verifies('C40', 'a second time changes nothing more', () => {
    fc.assert(
      fc.property(randomBranch, fc.constantFrom(...families), model, (branch, family, asked) => {
        const once = repair(branch, { family, model: asked })
        const twice = repair(once.messages, { family, model: asked })
        expect(twice.repairs).toEqual([])
        expect(twice.messages).toHaveLength(once.messages.length)
        expect(twice.messages.every((message, at) => message === once.messages[at])).toBe(true)
      }),
      modelled,
    )
  })

  verifies('C37', 'keeps the parts that it keeps in their order, results apart', () => {
    const said = (messages: readonly Message[]): Part[] =>
      messages.flatMap(({ role, parts }) => (role === 'tool' ? [] : parts.filter(part => part.type !== 'tool_result')))
    fc.assert(
      fc.property(randomBranch, fc.constantFrom(...families), (branch, family) => {
        const before = new Map(said(branch).map((part, at) => [part, at]))
        const places = said(repair(branch, { family }).messages).flatMap(part => before.get(part) ?? [])
        expect(places).toEqual(places.toSorted((a, b) => a - b))
      }),
      modelled,
    )
  })

  verifies('C36', 'gives the same calls the same names, however much follows', () => {
    const names = (messages: readonly Message[]): string[] =>
      messages.flatMap(({ parts }) => parts.flatMap(part => (part.type === 'tool_call' ? [part.callId] : [])))
    fc.assert(
      fc.property(randomBranch, randomBranch, fc.constantFrom(...families), (branch, more, family) => {
        const first = names(repair(branch, { family }).messages)
        const all = names(repair([...branch, ...more], { family }).messages)
        expect(all.slice(0, first.length)).toEqual(first)
        expect(new Set(all).size).toBe(all.length)
      }),
      modelled,
    )
  })

  it('changes nothing of earlier parts when messages follow that bring no late results', () => {
    const parts = (messages: readonly Message[]): Part[] => messages.flatMap(message => message.parts)
    const noResults = randomBranch.map(branch =>
      branch.filter(({ parts: own }) => own.every(part => part.type !== 'tool_result')),
    )
    fc.assert(
      fc.property(randomBranch, noResults, fc.constantFrom(...families), model, (branch, more, family, asked) => {
        const first = parts(repair(branch, { family, model: asked }).messages)
        const all = parts(
          repair([...branch, { role: 'user', parts: [{ type: 'text', text: 'next' }] }, ...more], { family, model: asked })
            .messages,
        )
        expect(all.slice(0, first.length)).toEqual(first)
      }),
      modelled,
    )
  })
})

describe('turns that ran without interruption', () => {
  verifies('C39', 'need no repair but roles_adjacent', () => {
    for (const family of families) {
      const asked = makers[family].model
      fc.assert(
        fc.property(soundTurns(family), turns => {
          const { messages, repairs } = repair(turns, { family, model: asked })
          expect(repairs.filter(({ rule }) => rule !== 'roles_adjacent')).toEqual([])
          expect(messages.flatMap(({ parts }) => parts)).toEqual(turns.flatMap(({ parts }) => parts))
        }),
        { numRuns: 200 },
      )
    }
  })
})
