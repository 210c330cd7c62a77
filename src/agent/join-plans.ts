import { given } from '#kernel'
import type { Plan } from '#session'

/** Both in one commit. */
export function joinPlans(first: Plan, second: Plan): Plan {
  const head = { ...first.head, ...second.head, merge: { ...first.head?.merge, ...second.head?.merge } }
  return {
    drafts: [...first.drafts, ...second.drafts],
    blobs: [...(first.blobs ?? []), ...(second.blobs ?? [])],
    blobRefs: [...(first.blobRefs ?? []), ...(second.blobRefs ?? [])],
    ...given({ alongside: listOrNone([...(first.alongside ?? []), ...(second.alongside ?? [])]) }),
    ...(Object.keys(head.merge).length === 0 && first.head === undefined && second.head === undefined ? {} : { head }),
  }
}

export const listOrNone = <T>(list: readonly T[]): readonly T[] | undefined => (list.length === 0 ? undefined : list)
