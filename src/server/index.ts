export {
  type AccessToken,
  findAccessToken,
  hasAccessTokens,
  listAccessTokens,
  type MadeToken,
  newAccessToken,
  removeAccessToken,
  type Scope,
  scopes,
} from './access-tokens.ts'
export { createHandler } from './create-handler.ts'
export { jsonLines, type Logger, type LogLine } from './log.ts'
export { defaultPort, type GivenToken, type RateLimit, type ServerOptions } from './options.ts'
export { serve, type Serving } from './serve.ts'
export { version } from './version.ts'
