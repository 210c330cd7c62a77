/** Where data is kept that is no row of the store, if `env` says it. */
export function dataFolder(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const said = (name: string): string | undefined => env[name]?.trim() || undefined
  const [data, home] = [said('XDG_DATA_HOME'), said('HOME')]
  return said('SKEIN_HOME') ?? (data === undefined ? home && `${home}/.local/share/skein` : `${data}/skein`)
}
