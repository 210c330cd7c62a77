import type { Tool } from './definition.ts'
import { schemaOf, text } from './file-tool.ts'

interface Asked {
  readonly question: string
  readonly choices?: readonly string[]
}

/** Asks the person by the UI port. If nobody can answer, the run ends `needs_user_input` and the question stands in its result. */
export function askTool(): Tool<Asked> {
  return {
    name: 'ask_user',
    description: 'Asks the person a question, with choices if you have some. Ask only what you cannot find out.',
    input: schemaOf(
      {
        question: text('one question'),
        choices: { type: 'array', items: { type: 'string' }, minItems: 2, maxItems: 20, description: 'to choose one of' },
      },
      ['question'],
    ),
    readOnly: true,
    kind: 'ask',
    // A person may take longer than any machine.
    timeoutMs: 24 * 3_600_000,
    run: async ({ question, choices }, { ui }) => {
      const answer = ui.hasUi ? await (choices === undefined ? ui.input(question) : ui.select(question, choices)) : undefined
      if (answer !== undefined) return answer
      return {
        content: 'Nobody can answer now. The question was left for the person.',
        details: { question, ...(choices === undefined ? {} : { choices: [...choices] }) },
        terminate: 'question_open',
      }
    },
  }
}
