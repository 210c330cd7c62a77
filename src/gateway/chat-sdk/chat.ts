// The parts of the Chat SDK that are used, in our own words: its packages are optional, and so are their types.

export interface ChatAuthor {
  readonly userId: string
  readonly userName: string
  readonly fullName: string
  readonly isBot: boolean | 'unknown'
  readonly isMe: boolean
}

export interface ChatAttachment {
  readonly type: 'image' | 'file' | 'video' | 'audio'
  readonly name?: string | undefined
  readonly mimeType?: string | undefined
  readonly size?: number | undefined
  readonly data?: unknown
  readonly fetchData?: (() => Promise<Uint8Array | ArrayBuffer>) | undefined
}

export interface ChatMessage {
  readonly id: string
  readonly text: string
  readonly raw: unknown
  readonly author: ChatAuthor
  readonly attachments: readonly ChatAttachment[]
  readonly isMention?: boolean | undefined
  readonly metadata: { readonly edited: boolean }
  readonly links?: readonly { readonly url: string }[] | undefined
  readonly replyTo?: { readonly id: string } | undefined
}

/** A command that the platform itself knows as one. */
export interface ChatCommand {
  readonly command: string
  readonly text: string
  readonly user: ChatAuthor
  readonly channelId: string
  readonly raw: unknown
  readonly triggerId?: string | undefined
}

/** What a bridge asks of an adapter: any of `@chat-adapter/*` is one. */
export interface ChatAdapter {
  readonly name: string
  readonly userName: string
  readonly botUserId?: string | undefined
  initialize(chat: never): Promise<void>
  disconnect?(): Promise<void>
  handleWebhook(request: Request, options?: { waitUntil?(task: Promise<unknown>): void }): Promise<Response>
  postMessage(
    threadId: string,
    message: { readonly markdown: string } | { readonly raw: string },
  ): Promise<{ readonly id: string }>
  editMessage(
    threadId: string,
    messageId: string,
    message: { readonly markdown: string } | { readonly raw: string },
  ): Promise<unknown>
  startTyping(threadId: string): Promise<void>
  encodeThreadId(data: never): string
  decodeThreadId(threadId: string): unknown
  channelIdFromThreadId(threadId: string): string
  isDM?(threadId: string): boolean
  /** Does something with the token of one of several installations. */
  withBotToken?<T>(token: string, work: () => T): T
  getUser?(userId: string): Promise<{ readonly userName: string } | null>
}

/** What an adapter says when something has come. It calls them without waiting; whoever is called has to see to it that nothing is lost. */
export interface ChatListener {
  message(threadId: string, message: ChatMessage | (() => Promise<ChatMessage>)): Promise<void>
  command(command: ChatCommand): Promise<void>
}
