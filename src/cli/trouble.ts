/** Something that a person should look at. */
export interface Trouble {
  readonly kind: string
  readonly message: string
}
