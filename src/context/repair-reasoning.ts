import { isObject } from '#kernel'
import type { Message, ReasoningPart } from '#journal'
import { type Family, familyRules } from './families.ts'
import type { Asked } from './repair-item.ts'

/** Why reasoning may not go to the model that is asked; `undefined`: it may. */
export function whyForeign(part: ReasoningPart, { role, model }: Message, asked: Asked): string | undefined {
  if (role !== 'assistant') return `reasoning in a ${role} message`
  if (isOther(model, asked.model)) return `reasoning of ${model ?? ''}`
  if (isProven(part, asked.family)) return undefined
  const isOwn = model !== undefined && asked.model !== undefined
  return familyRules[asked.family].takesUnsigned && isOwn ? undefined : 'reasoning without a signature'
}

/** True if both are known and differ. A name without a provider is any provider's. */
function isOther(maker: string | undefined, asked: string | undefined): boolean {
  if (maker === undefined || asked === undefined || maker === asked) return false
  if (!maker.includes('/')) return !asked.endsWith(`/${maker}`)
  return asked.includes('/') || !maker.endsWith(`/${asked}`)
}

const families = Object.keys(familyRules) as Family[]

/** A signature of no provider's name is believed to be of the one that is asked, unless another family's proof stands beside it. */
function isProven(part: ReasoningPart, family: Family): boolean {
  if (proves(part, family)) return true
  const isSigned = part.signature !== undefined || part.redacted !== undefined
  return isSigned && !families.some(other => other !== family && proves(part, other))
}

function proves({ providerData }: ReasoningPart, family: Family): boolean {
  const { names, members } = familyRules[family].proof
  return names.some(name => {
    const own = isObject(providerData) ? providerData[name] : undefined
    return isObject(own) && members.some(member => own[member] !== undefined && own[member] !== null)
  })
}
