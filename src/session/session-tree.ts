import { isObject, type EntryId } from '#kernel'
import { type Entry, isPath, isType, previewOf } from '#journal'
import type { SessionCore } from './core.ts'

/** A node of the tree. A straight run of entries without a fork, label or leaf in it is one node: `count` entries from `id` to `last`. */
export interface TreeNode {
  readonly id: EntryId
  readonly last: EntryId
  readonly count: number
  readonly seq: number
  readonly type: string
  readonly role?: string
  readonly preview: string | null
  readonly label: string | null
  /** On the branch that ends at the leaf. */
  readonly onBranch: boolean
  readonly isLeaf: boolean
  readonly children: readonly TreeNode[]
}

const pageSize = 1_000

/** The whole tree from its root; large payloads are not read. */
export async function sessionTree(core: SessionCore): Promise<TreeNode> {
  const row = await core.row()
  const entries: Entry[] = []
  for (let after = 0; after < row.seq;) {
    const page = await core.store.entries(core.id, { after, limit: pageSize })
    if (page.length === 0) break
    entries.push(...page)
    after = page.at(-1)?.seq ?? row.seq
  }
  return foldTree(entries, row.leafId)
}

/** Pure: entries of a whole journal, in order, to the tree of its path entries. */
export function foldTree(entries: readonly Entry[], leafId: EntryId | null): TreeNode {
  const children = new Map<EntryId, Entry[]>()
  const byId = new Map<EntryId, Entry>()
  const labels = new Map<EntryId, string>()
  for (const entry of entries) {
    if (isType(entry, 'entry_labelled')) {
      if (entry.data.label === null) labels.delete(entry.data.entry)
      else labels.set(entry.data.entry, entry.data.label)
    }
    if (!isPath(entry)) continue
    byId.set(entry.id, entry)
    if (entry.parentId !== null) children.set(entry.parentId, [...(children.get(entry.parentId) ?? []), entry])
  }
  const branch = new Set<EntryId>()
  for (let entry = byId.get(leafId as EntryId); entry !== undefined; entry = byId.get(entry.parentId as EntryId))
    branch.add(entry.id)

  const alone = (entry: Entry): boolean =>
    labels.has(entry.id) || entry.id === leafId || entry.type === 'message_added' || entry.type === 'session_created'
  const nodeFor = (start: Entry): { node: Omit<TreeNode, 'children'>; next: readonly Entry[] } => {
    let last = start
    let count = 1
    let next = children.get(last.id) ?? []
    while (!alone(start) && next.length === 1 && next[0] !== undefined && !alone(next[0])) {
      last = next[0]
      count++
      next = children.get(last.id) ?? []
    }
    const role = isObject(start.data) && typeof start.data['role'] === 'string' ? { role: start.data['role'] } : {}
    const node = {
      id: start.id,
      last: last.id,
      count,
      seq: start.seq,
      type: start.type,
      ...role,
      preview: previewOfEntry(start),
      label: labels.get(start.id) ?? null,
      onBranch: branch.has(start.id),
      isLeaf: start.id === leafId,
    }
    return { node, next }
  }

  // Without recursion: a branch may be longer than the stack is deep.
  const root = entries.find(isPath)
  if (root === undefined) throw new Error('A journal has a root.')
  const built: { node: Omit<TreeNode, 'children'>; children: TreeNode[] }[] = []
  const top: TreeNode[] = []
  const open: { entry: Entry; into: TreeNode[] }[] = [{ entry: root, into: top }]
  for (let work = open.pop(); work !== undefined; work = open.pop()) {
    const { node, next } = nodeFor(work.entry)
    const filled = { node, children: [] as TreeNode[] }
    built.push(filled)
    work.into.push({ ...node, children: filled.children })
    for (const child of [...next].reverse()) open.push({ entry: child, into: filled.children })
  }
  return top[0] as TreeNode
}

function previewOfEntry(entry: Entry): string | null {
  return isType(entry, 'message_added') ? previewOf(entry.data) : null
}
