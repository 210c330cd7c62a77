import { bundleChildren } from './bundle.ts'
import { childrenVariable } from './child-entry.ts'

/** Makes the processes that tests start quick to start, for the whole run. Where that fails they start from their source. */
export default async function setup(): Promise<() => void> {
  try {
    const { folder, remove } = await bundleChildren()
    process.env[childrenVariable] = folder
    return remove
  } catch (error) {
    console.warn('Tests start their processes from the source, which takes longer:', error)
    return () => undefined
  }
}
