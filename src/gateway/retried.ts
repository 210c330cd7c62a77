import { isSkeinError } from '#kernel'

/** How often a decision is taken anew because another one was faster. */
const mostTries = 60

/** Decides anew when another writer was faster. */
export async function retried<T>(decide: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await decide()
    } catch (error) {
      const lost = isSkeinError(error) && error.code === 'store.conflict'
      if (!lost || tries >= mostTries) throw error
    }
  }
}
