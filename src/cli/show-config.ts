import type { ConfigValue } from '#agent'
import type { Command } from 'commander'
import type { Invocation, Runner } from './command.ts'
import { columns } from './table.ts'

/** `skein config`: each value and who decided it. Secrets are masked. */
export function addShowConfig(program: Command, run: Runner): void {
  program.command('config').description('every setting, and which layer decided it').action(run(showConfig))
}

async function showConfig({ out, settings }: Invocation): Promise<void> {
  const shown = settings.shown()
  if (out.json) return await out.body({ items: shown })
  for (const line of columns(shown.map(configRow))) await out.line(line)
}

export function configRow(row: {
  readonly key: string
  readonly value: ConfigValue
  readonly layer: string
  readonly where: string | null
}): string[] {
  const { key, value, layer, where } = row
  return [key, Array.isArray(value) ? `[${value.join(', ')}]` : String(value), where === null ? layer : `${layer}  ${where}`]
}
