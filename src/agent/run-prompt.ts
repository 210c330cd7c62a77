import { given } from '#kernel'
import type { SessionRow } from '#journal'
import { type Plan, type SessionCore, settingsOf } from '#session'
import { guardrailsSection } from './guardrails.ts'
import { readAutonomy } from './policy/autonomy.ts'
import { modeHas } from './policy/mode.ts'
import { policyHas, rulesOf } from './policy/run-policy.ts'
import type { RunOptions } from './run-options.ts'
import type { RunRules } from './run-rules.ts'
import { keepPrompt, type MadePrompt, makePrompt, type SaidParts } from './session-prompt.ts'
import type { Tool } from './tool.ts'

/** The prompt of a session that was given none of its own. Law A54. */
export async function promptFor(
  core: SessionCore,
  row: SessionRow,
  { mode = 'full', autonomy = 'safe', policy = {}, facts = [], task, guardrails }: RunRules,
  {
    identity,
    tools,
    more,
    userFolder,
  }: Pick<SaidParts, 'identity' | 'more'> & {
    readonly tools: readonly Tool[]
    readonly userFolder: string | undefined
  },
): Promise<MadePrompt> {
  const limits = rulesOf(policy)
  const offered = tools.filter(tool => modeHas(mode, tool) && policyHas(limits, tool.name))
  const said: SaidParts = {
    ...given({ identity, more, task }),
    task,
    tools: offered.map(({ name, description }) => ({ name, description })),
    mode,
    facts,
    ...(guardrails === undefined ? {} : { guardrails: guardrailsSection(guardrails) }),
    headless: readAutonomy(autonomy) === 'ci',
  }
  return await makePrompt(core, row, said, userFolder)
}

/** What keeps the prompt of a run. */
export async function promptPlan(
  core: SessionCore,
  row: SessionRow,
  { prompt, promptInputs }: Pick<RunOptions, 'prompt' | 'promptInputs'>,
): Promise<Plan> {
  return keepPrompt(core, row, { text: prompt, inputs: promptInputs }, (await settingsOf(core, row)).system)
}
