import { bundleChildren } from './bundle.ts'

/** Makes the children of the crash tests quick to start, for every crew of the run. */
export default async function setup(): Promise<() => void> {
  const { folder, remove } = await bundleChildren()
  process.env['SKEIN_CHILDREN'] = folder
  return remove
}
