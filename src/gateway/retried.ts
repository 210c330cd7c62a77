import { type ErrorCode, isSkeinError } from '#kernel'

/** How often a decision is taken anew because another one was faster. */
const mostTries = 60

/** Decides anew when another writer was faster. `lost`: by which codes that shows. */
export async function retried<T>(decide: () => Promise<T>, lost: readonly ErrorCode[] = ['store.conflict']): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await decide()
    } catch (error) {
      if (!isSkeinError(error) || !lost.includes(error.code) || tries >= mostTries) throw error
    }
  }
}
