export { type Clock, latestTime, manualClock, systemClock } from './clock.ts'
export { every, manualTimers, systemTimers, type Timers, wait, within } from './timers.ts'
export { unlessAborted } from './unless-aborted.ts'
export { type Given, given } from './given.ts'
export { type Random, seededRandom, systemRandom } from './random.ts'
export {
  asSkeinError,
  messageOf,
  type Category,
  type ErrorCode,
  type ErrorDetails,
  type ErrorOptions,
  type ErrorRule,
  errorRules,
  invalidInput,
  isSkeinError,
  SkeinError,
} from './errors.ts'
export {
  type BlobId,
  createIds,
  type EntryId,
  type Id,
  idPrefixes,
  type IdPrefix,
  isAlias,
  isBlobId,
  isId,
  type JobId,
  type NewId,
  newId,
  parseId,
  parseSessionRef,
  parseStoreTenant,
  parseTenant,
  reservedTenant,
  type RunId,
  type SessionId,
  type StepId,
  timeOfId,
  type TurnId,
} from './ids.ts'
export { canonical, isObject, type Json, type JsonObject, maxJsonDepth, mergePatch, stringify, toJson } from './json.ts'
export { blobId, hmacSha256, sameDigest, sha256, sha256Stream } from './hash.ts'
export { byteLength, cleanLine, cutCodePoints, terminalSafe } from './text.ts'
export { isStandardSchema, type StandardResult, type StandardSchema, validate } from './schema.ts'
export {
  aFlag,
  aFunction,
  anObject,
  anything,
  aSignal,
  aText,
  type Check,
  either,
  listOf,
  type Members,
  oneOf,
  orNull,
  shape,
  wholeNumber,
} from './shape.ts'
