import { Bell } from '#journal'

/** A bell that looks for other processes' commits before anything is shown, so that a watch never shows what one erased. Law J47. */
export class AttentiveBell extends Bell {
  readonly #look: () => void

  constructor(look: () => void) {
    super()
    this.#look = look
  }

  override get closed(): boolean {
    if (!super.closed) this.#look()
    return super.closed
  }
}
