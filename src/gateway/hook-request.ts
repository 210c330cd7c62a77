/** What came to a hook, as it came. */
export interface HookRequest {
  /** The header `skein-signature`. */
  readonly signature: string | undefined
  readonly body: string
  /** Names the event where the body does not. */
  readonly idempotencyKey?: string
  /** The request as it came, for platforms that sign in a way of their own. */
  readonly request?: Pick<Request, 'url' | 'method' | 'headers'>
}

/** Takes what comes to hooks, and gives a receipt, or what the platform is to be answered. */
export interface HookTaker {
  receive(name: string, request: HookRequest): Promise<object>
}
