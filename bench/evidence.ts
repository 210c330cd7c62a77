import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openSkein, type Session, type SkeinOptions } from '#skein'

/** A long conversation with questions, each with the turns that answer it. The shape of the files that `readConversations` takes. */
export interface Conversation {
  readonly id: string
  readonly speakers: readonly string[]
  readonly sessions: readonly {
    readonly at: string
    readonly turns: readonly { readonly id: string; readonly speaker: string; readonly text: string }[]
  }[]
  readonly questions: readonly {
    readonly question: string
    readonly answer: unknown
    /** Ids of turns. */
    readonly evidence: readonly string[]
    readonly category: number
  }[]
}

/** Says how good an answer is, 0..1; a model, for one. */
export interface Judge {
  score(question: string, answer: string, expected: string): Promise<number>
}

/** Answers a question from what it is shown. */
export type Answerer = (question: string, shown: string) => Promise<string>

export interface EvidenceOptions {
  readonly store: NonNullable<SkeinOptions['store']>
  /** In this window the share of evidence in the context is told. */
  readonly window: number
  /** Both or none: then each question is answered from the search answer alone, and judged. */
  readonly answering?: { readonly answer: Answerer; readonly judge: Judge; readonly countTokens: (text: string) => number }
}

/** Shares of the evidence of a question, averaged over all questions. */
export interface EvidenceReport {
  readonly conversations: number
  readonly entries: number
  readonly questions: number
  readonly hits: number
  /** Of all questions: those of which a piece of evidence, or all of it, is among the hits. */
  readonly any: number
  readonly all: number
  readonly withNeighbours: number
  readonly inContext: number
  /** In the context, or in the answer with its neighbours. */
  readonly either: number
  readonly judged?: { readonly score: number; readonly tokens: number }
}

/** Conversations in a folder, one JSON file each. */
export async function readConversations(folder: string): Promise<Conversation[]> {
  const names = (await readdir(folder)).filter(name => name.endsWith('.json')).sort()
  return await Promise.all(names.map(async name => JSON.parse(await readFile(join(folder, name), 'utf8')) as Conversation))
}

interface Tally {
  hits: number
  any: number
  all: number
  withNeighbours: number
  inContext: number
  either: number
  score: number
  tokens: number
}

/**
 * Whether what answers a question comes back: each conversation becomes a session, each question one search with its own
 * words and the defaults, ten hits. Questions without evidence ask for what was never said, and are left out.
 */
export async function measureEvidence(conversations: readonly Conversation[], options: EvidenceOptions): Promise<EvidenceReport> {
  const skein = await openSkein({ store: options.store, worker: false })
  try {
    const sum: Tally = { hits: 0, any: 0, all: 0, withNeighbours: 0, inContext: 0, either: 0, score: 0, tokens: 0 }
    let [questions, entries] = [0, 0]
    for (const conversation of conversations) {
      const { session, refs } = await recordConversation(await skein.sessions.create(), conversation)
      const shown = await refsShown(session, options.window)
      entries += refs.size
      for (const { question, answer, evidence, category } of conversation.questions) {
        const wanted = [...new Set(evidence)].flatMap(id => refs.get(id) ?? [])
        if (category === adversarial || wanted.length === 0) continue
        questions++
        const { hits } = await session.recall(question.slice(0, 400))
        const found = new Set<string>(hits.map(hit => hit.ref))
        const beside = new Set<string>([...found, ...hits.flatMap(hit => [hit.before?.ref ?? '', hit.after?.ref ?? ''])])
        const share = (has: (ref: string) => boolean): number => wanted.filter(has).length / wanted.length
        sum.hits += share(ref => found.has(ref))
        if (wanted.some(ref => found.has(ref))) sum.any++
        if (wanted.every(ref => found.has(ref))) sum.all++
        sum.withNeighbours += share(ref => beside.has(ref))
        sum.inContext += share(ref => shown.has(ref))
        sum.either += share(ref => shown.has(ref) || beside.has(ref))
        if (options.answering === undefined) continue
        const { answer: ask, judge, countTokens } = options.answering
        const text = hits
          .map(hit => [hit.before?.excerpt, hit.excerpt, hit.after?.excerpt].filter(Boolean).join('\n'))
          .join('\n\n')
        sum.score += await judge.score(question, await ask(question, text), String(answer))
        sum.tokens += countTokens(text)
      }
    }
    const mean = (total: number): number => total / Math.max(1, questions)
    return {
      conversations: conversations.length,
      entries,
      questions,
      hits: mean(sum.hits),
      any: mean(sum.any),
      all: mean(sum.all),
      withNeighbours: mean(sum.withNeighbours),
      inContext: mean(sum.inContext),
      either: mean(sum.either),
      ...(options.answering === undefined ? {} : { judged: { score: mean(sum.score), tokens: mean(sum.tokens) } }),
    }
  } finally {
    await skein.close()
  }
}

/** Questions of this category ask for what was never said. */
const adversarial = 5

/** The first speaker as the user, the other as the assistant, each turn with its speaker's name, as a chat shows it. */
async function recordConversation(
  session: Session,
  { speakers, sessions }: Conversation,
): Promise<{ readonly session: Session; readonly refs: ReadonlyMap<string, string> }> {
  const turns = sessions.flatMap(part => part.turns)
  const { entries } = await session.append(
    turns.map(({ speaker, text }) => ({
      role: speaker === speakers[0] ? 'user' : 'assistant',
      parts: [{ type: 'text', text: `${speaker}: ${text}` }],
    })),
  )
  return { session, refs: new Map(turns.map(({ id }, at) => [id, entries[at]?.id ?? ''])) }
}

/** Entries that stand as themselves in the context of a window, once it was made to fit. */
async function refsShown(session: Session, window: number): Promise<ReadonlySet<string>> {
  const { items = [] } = await session.context({ facts: { contextWindow: window }, explain: true })
  return new Set(items.flatMap(({ kind, ref }) => (kind === 'entry' ? [ref] : [])))
}
