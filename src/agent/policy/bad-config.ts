import { SkeinError } from '#kernel'

/** An option that holds no sense, with its key. Source: spec/agent.md 1, law A3. */
export const badConfig = (key: string, problem: string, layer: string = 'options'): SkeinError =>
  new SkeinError('config.invalid', `${key}: ${problem}`, { details: { key, layer } })
