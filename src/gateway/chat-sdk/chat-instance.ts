import type { ChatCommand, ChatListener, ChatMessage } from './chat.ts'
import type { ChatState } from './passing-state.ts'

const silent = { child: () => silent, debug: ignore, info: ignore, warn: ignore, error: ignore }

function ignore(): void {
  // Edits, deletions, reactions, buttons and the like begin no turn.
}

const settled = async (): Promise<void> => undefined

/**
 * What adapters know as their `ChatInstance`, in place of the SDK's `Chat`: that one queues in memory, drops what comes while it
 * is busy and has a platform told that a message came before it is stored. New messages and commands go to `listener`, in the
 * order of the calls; all else is taken and forgotten.
 */
export function chatInstance(userName: string, state: ChatState, listener: ChatListener): object {
  return {
    getLogger: () => silent,
    getState: () => state,
    getUserName: () => userName,
    abortTurn: settled,
    processMessage: (_adapter: unknown, threadId: string, message: ChatMessage | (() => Promise<ChatMessage>)) =>
      listener.message(threadId, message),
    handleIncomingMessage: (_adapter: unknown, threadId: string, message: ChatMessage) => listener.message(threadId, message),
    processSlashCommand: (command: ChatCommand) => listener.command(command),
    processAction: settled,
    processMessageDeleted: settled,
    processMessageUpdated: settled,
    processReaction: settled,
    processModalSubmit: settled,
    processOptionsLoad: settled,
    processModalClose: ignore,
    processAgentSessionStopped: ignore,
    processAgentSessionTitleChanged: ignore,
    processAppContextChanged: ignore,
    processAppHomeOpened: ignore,
    processAssistantContextChanged: ignore,
    processAssistantThreadStarted: ignore,
    processInstalled: ignore,
    processUninstalled: ignore,
    processMemberJoinedChannel: ignore,
    get history(): never {
      throw new Error('There is no history here: the journal has it.')
    },
    get transcripts(): never {
      throw new Error('There are no transcripts here: the journal has them.')
    },
  }
}
