/** What came to a hook, as it came. */
export interface HookRequest {
  /** The header `skein-signature`. */
  readonly signature: string | undefined
  readonly body: string
  /** Names the event where the body does not. */
  readonly idempotencyKey?: string
}

/** Takes what comes to hooks, and gives a receipt. */
export interface HookTaker {
  receive(name: string, request: HookRequest): Promise<object>
}
