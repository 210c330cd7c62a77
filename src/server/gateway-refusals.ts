import type { InboxReceipt } from '#gateway'
import { type ErrorCode, errorRules, SkeinError } from '#kernel'
import { type Answer, ok } from './answer.ts'

const codes: Readonly<Record<string, ErrorCode>> = {
  unauthorized: 'auth.denied',
  bot: 'auth.denied',
  busy: 'session.busy',
  queue_full: 'gateway.queue_full',
  empty: 'input.invalid',
}

const told: Partial<Record<ErrorCode, string>> = {
  'auth.denied': 'Who sent this may not speak here.',
  'session.busy': 'A turn goes on, and this message is not to wait.',
  'gateway.queue_full': 'Too many messages wait already.',
  'input.invalid': 'The message says nothing.',
}

/** What a message was answered: 202 and its receipt, 200 for one that was known. One that was refused is an error with the receipt in its details. */
export function receiptAnswer(receipt: InboxReceipt): Answer {
  if (receipt.status === 'refused') throw refusal(receipt)
  return ok(receipt, { status: receipt.duplicate === true ? 200 : 202 })
}

function refusal(receipt: InboxReceipt): SkeinError {
  const { reason = '' } = receipt
  const known = Object.hasOwn(codes, reason) ? codes[reason] : undefined
  const code = known ?? (Object.hasOwn(errorRules, reason) ? (reason as ErrorCode) : 'auth.denied')
  return new SkeinError(code, told[code] ?? `The message was refused: ${reason}.`, { details: { receipt } })
}
