import { join } from 'node:path'
import { measureEvidence, readConversations } from '../evidence.ts'
import { folderIn } from '../opening.ts'
import { atLeast, type Line, type Row } from '../row.ts'

const window = 16_000

/**
 * Whether the evidence of questions on long conversations comes back. The conversations are not part of this repository:
 * `SKEIN_BENCH_CONVERSATIONS` names a folder of them.
 */
export const evidence: Row = async setting => {
  const folder = process.env['SKEIN_BENCH_CONVERSATIONS']
  const title = 'Evidence of questions on long conversations'
  if (folder === undefined)
    return { title, lines: [], notes: ['Not measured: SKEIN_BENCH_CONVERSATIONS names no folder of conversations.'] }
  const all = await readConversations(folder)
  const report = await measureEvidence(setting.quick ? all.slice(0, 1) : all, {
    store: `sqlite:${join(folderIn(setting), 'evidence.db')}`,
    window,
  })
  const lines: Line[] = [
    { measure: 'questions with evidence', unit: 'count', skein: report.questions },
    { measure: 'recall@10, by hits', unit: 'count', skein: report.hits, target: atLeast(0.6, 'skein') },
    { measure: 'questions with any evidence among the hits', unit: 'count', skein: report.any, target: atLeast(0.78, 'skein') },
    { measure: 'questions with all evidence among the hits', unit: 'count', skein: report.all },
    { measure: 'recall@10, with neighbours', unit: 'count', skein: report.withNeighbours, target: atLeast(0.75, 'skein') },
    { measure: `evidence in the context of a window of ${window.toLocaleString('en')}`, unit: 'count', skein: report.inContext },
    { measure: 'in that context or in the answer', unit: 'count', skein: report.either },
  ]
  return {
    title,
    lines,
    notes: [
      `${report.conversations} conversations of ${report.entries} entries; each question is one search by its own words, ten hits. Shares are means over questions.`,
    ],
  }
}
