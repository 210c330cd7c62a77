import type { EntryId, Id } from '#kernel'
import type { FilePart } from './message.ts'

export type CheckpointId = Id<'chk'>

/** How a file stood; `hash: null`: there was none. Its bytes are the blob of that hash. */
export interface FileState {
  /** Relative to `cwd`, with slashes; absolute for what lies elsewhere. */
  readonly path: string
  readonly hash: string | null
  readonly bytes?: number
  /** Permissions. */
  readonly mode?: number
}

/** Files as they were, before a call wrote them, when somebody asked for it, or before older ones were put back. */
export interface CheckpointSaved {
  readonly checkpoint: CheckpointId
  readonly cause: 'call' | 'hand' | 'rewind'
  readonly label?: string
  readonly callId?: string
  readonly tool?: string
  /** The folder that paths are relative to, without symlinks. */
  readonly cwd: string
  readonly files: readonly FileState[]
  /** Not kept, so they can't be put back. */
  readonly unprotected?: readonly { readonly path: string; readonly reason: 'too_large' | 'no_plain_file' }[]
  /** The contents, each once. */
  readonly parts: readonly FilePart[]
}

/** The same files once the call had ended. */
export interface CheckpointSettled {
  readonly checkpoint: CheckpointId
  readonly cwd: string
  readonly files: readonly FileState[]
}

/** Files were put back as they stood before `to`. `checkpoint` keeps how they were until then. */
export interface FilesRewound {
  readonly to: string
  readonly checkpoint: CheckpointId | null
  readonly cwd: string
  /** As they stand now. */
  readonly files: readonly FileState[]
  /** The entry that the conversation went back to, where that was asked for. */
  readonly leaf?: EntryId
}
