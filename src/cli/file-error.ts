import { SkeinError } from '#kernel'

/** What went wrong with a file that was named on the line, as the caller's mistake where it is one. */
export function fileError(error: unknown, file: string): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  if (code === 'ENOSPC')
    return new SkeinError('store.full', `There is no space for ${file}.`, { details: { file }, cause: error })
  const plain = code === 'ENOENT' ? 'There is no such file or folder.' : code === 'EISDIR' ? 'This is a folder.' : undefined
  if (plain !== undefined)
    return new SkeinError('input.invalid', `${file}: ${plain}`, { details: { path: 'file' }, cause: error })
  if (code !== undefined && /^E[A-Z]+$/.test(code))
    return new SkeinError('input.invalid', `${file}: ${(error as Error).message}`, { details: { path: 'file' } })
  return error
}
