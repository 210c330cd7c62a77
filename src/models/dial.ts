import type { PortSource } from './connected.ts'
import { authMissing, type Credentials } from './credentials.ts'
import type { Connector, Credential, ModelInfo, ModelPort } from './port.ts'
import { redactedThrow } from './redact.ts'

/**
 * Ports to a model over one connector. A key's port is made once. A login is looked at before each request, refreshed if it is
 * due, and its port made anew when its token has changed, so a long run outlives its token. What a connector throws is thrown
 * without the secrets that it was given.
 */
export function dial(
  connector: Connector,
  info: ModelInfo,
  first: Credential,
  credentials: Pick<Credentials, 'fresh'>,
): PortSource {
  const secrets = new Set(secretsOf(first))
  let made: { readonly credential: Credential; readonly port: ModelPort } | undefined
  const now = async (): Promise<Credential> => {
    if (first.kind !== 'oauth') return first
    const oauth = await credentials.fresh(info.provider, connector.refresh)
    if (oauth === undefined) throw authMissing(info.provider)
    return { ...first, oauth }
  }
  return {
    secrets: () => [...secrets],
    async port() {
      try {
        const credential = await now()
        for (const secret of secretsOf(credential)) secrets.add(secret)
        if (made === undefined || !isSame(made.credential, credential))
          made = { credential, port: await connector.connect(credential, info) }
        return made.port
      } catch (thrown) {
        throw redactedThrow(thrown, [...secrets])
      }
    },
  }
}

function secretsOf(credential: Credential): string[] {
  if (credential.kind === 'none') return []
  return credential.kind === 'apiKey' ? [credential.apiKey] : [credential.oauth.accessToken, credential.oauth.refreshToken]
}

const isSame = (a: Credential, b: Credential): boolean =>
  a === b || (a.kind === 'oauth' && b.kind === 'oauth' && a.oauth.accessToken === b.oauth.accessToken)
