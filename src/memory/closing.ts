import { isCurrent, type Memory, saidAt } from './memory-types.ts'

/**
 * Whether a version ends where another begins: at the time from which that holds, or at one when it was said. Of what came late
 * the older statement is stored after the newer one that closes it, so numbers of versions say nothing here. Laws M57, M58.
 */
function isClosedBy({ validFrom, validTo, retiredAt }: Memory, by: Memory): boolean {
  if (validTo === null || retiredAt !== null) return false
  return [by.validFrom, ...by.evidence.map(({ at }) => at)].some(at => validTo === Math.max(validFrom, at))
}

/** Which version holds again when one that is in force is taken away: of those that it closed the one that was said last. */
export function heldBefore(versions: readonly Memory[], taken: Memory): Memory | undefined {
  if (!isCurrent(taken)) return undefined
  const closed = versions.filter(version => version.version !== taken.version && isClosedBy(version, taken))
  return closed.sort((one, other) => saidAt(one) - saidAt(other) || one.version - other.version).at(-1)
}

/** The versions without some of them; what those that were in force had closed holds again, one after the other. */
export function withoutVersions(versions: readonly Memory[], gone: ReadonlySet<number>): Memory[] {
  let left = [...versions]
  for (let taken = left.find(isTaken); taken !== undefined; taken = left.find(isTaken)) {
    const again = heldBefore(left, taken)
    left = left.flatMap(version => {
      if (version === taken) return []
      return [version === again ? { ...version, validTo: null } : version]
    })
  }
  return left.filter(({ version }) => !gone.has(version))

  function isTaken(version: Memory): boolean {
    return gone.has(version.version) && isCurrent(version)
  }
}
