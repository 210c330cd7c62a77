import type { TreeNode } from './session-tree.ts'

/** A tree as JSON text. Without recursion: a session's branch may be longer than the stack is deep. */
export function treeText(root: TreeNode): string {
  const pieces: string[] = []
  const open: (TreeNode | string)[] = [root]
  for (let work = open.pop(); work !== undefined; work = open.pop()) {
    if (typeof work === 'string') {
      pieces.push(work)
      continue
    }
    const { children, ...node } = work
    pieces.push(`${JSON.stringify(node).slice(0, -1)},"children":[`)
    open.push(']}')
    for (let index = children.length - 1; index >= 0; index--) {
      const child = children[index]
      if (child === undefined) continue
      open.push(child)
      if (index > 0) open.push(',')
    }
  }
  return pieces.join('')
}
