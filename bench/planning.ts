import {
  applyEdit,
  type ContextEntry,
  contextBudget,
  messageTokens,
  nextStep,
  noEdit,
  type PlanState,
  settingsFor,
  showEntry,
  sumTokens,
  weightsCounter,
} from '#context'
import { createIds, seededRandom, systemClock } from '#kernel'
import { someMessages } from './messages.ts'

const show = { counter: weightsCounter, recall: true } as const

/** Plans for a frontier of so many tokens, made of the benchmark's messages: first what is pruned, then the first leaf. In µs of CPU. */
export function planningOf(tokens: number): () => { readonly cpu: number; readonly steps: number } {
  const ids = createIds({ clock: systemClock, random: seededRandom(1) })
  const entries = someMessages(2_000, 4).map((message, at): ContextEntry => {
    const own = { ...message, at } as unknown as ContextEntry['message']
    return { id: ids('ent'), seq: at + 1, at, tokens: messageTokens(own, weightsCounter), message: own } as ContextEntry
  })
  const items = entries.map(entry => showEntry(entry, show))
  let count = 0
  for (let sum = 0; sum < tokens && count < items.length; count++) sum += items[count]?.tokens ?? 0
  const own = items.slice(0, count)
  const budget = contextBudget({ contextWindow: 128_000 })
  const base: Omit<PlanState, 'items' | 'done' | 'projected'> = {
    target: Math.floor(0.3 * budget.usable),
    usable: budget.usable,
    factor: 1,
    settings: settingsFor({}, budget),
    prepared: [],
    summarizerInput: 100_000,
  }
  return () => {
    const began = process.threadCpuUsage()
    const first = nextStep({ ...base, items: own, projected: sumTokens(own), done: { prune: false } }, show)
    const after = first?.do === 'prune' ? applyEdit(own, { ...noEdit, prune: first.refs }, show) : own
    const second = nextStep({ ...base, items: after, projected: sumTokens(after), done: { prune: true } }, show)
    const { user, system } = process.threadCpuUsage(began)
    return { cpu: user + system, steps: [first, second].filter(step => step !== undefined).length }
  }
}
