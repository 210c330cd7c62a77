/** What a peer does for a row: the same work through its own documented verbs. Sessions are made when first named. */
export interface Peer {
  readonly name: string
  readonly version: string
  /** What its promise lacks beside a synced append, for the table's notes. */
  readonly note: string
  append(session: string, message: unknown): Promise<void> | void
  /** Many at once, where that is faster; for filling. */
  fill?(session: string, messages: readonly unknown[]): Promise<void>
  /** Opens the store afresh and reads the newest messages of a session. */
  resume?(session: string, limit: number): Promise<unknown> | unknown
  /** What it would show a model, up to so many messages where it takes a limit. */
  context?(session: string, limit: number): Promise<unknown> | unknown
  close(): Promise<void> | void
}

export type PeerName = 'pi' | 'mastra' | 'langgraph'

const missing = new Map<PeerName, string>()

/** Opens a peer in a folder of its own; undefined, and a note, where bench/peers is not installed. */
export async function openPeer(name: PeerName, folder: string): Promise<Peer | undefined> {
  try {
    const { open } = (await import(new URL(`./peers/${name}.mjs`, import.meta.url).href)) as {
      open: (folder: string) => Promise<Peer>
    }
    return await open(folder)
  } catch (error) {
    missing.set(name, (error as Error).message.split('\n')[0]?.replaceAll(/'[^']*\/([^'/]*)'/g, "'$1'") ?? '')
    return undefined
  }
}

/** Peers that could not be opened in this run, and why. */
export const missingPeers = (): Readonly<Record<string, string>> => Object.fromEntries(missing)
