import type { SessionId } from '#kernel'
import type { StatePatch, WorkingState } from '#memory'
import type { Skein } from '#skein'
import { answer, type Server } from './http.ts'

/** What `skein state` stands on. */
export interface StateVerbs {
  get(id: SessionId): Promise<WorkingState>
  update(id: SessionId, patch: StatePatch): Promise<WorkingState>
  clear(id: SessionId): Promise<WorkingState>
}

export function localState({ sessions }: Skein): StateVerbs {
  return {
    get: async id => await (await sessions.open(id)).state.get(),
    update: async (id, patch) => await (await sessions.open(id)).state.update(patch),
    clear: async id => await (await sessions.open(id)).state.clear(),
  }
}

export function remoteState(server: Server): StateVerbs {
  const path = (id: SessionId, verb = ''): string => `v1/sessions/${encodeURIComponent(id)}/state${verb}`
  return {
    get: id => answer(server, path(id)),
    update: (id, patch) => answer(server, path(id, '/update'), { method: 'POST', body: patch }),
    clear: id => answer(server, path(id, '/clear'), { method: 'POST', body: {} }),
  }
}
