/** The members that are there, so that `undefined` never stands for a choice. */
export type Given<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** Leaves out what is undefined: `{ id, ...given({ title }) }` has a `title` only if there is one. */
export function given<T extends object>(members: T): Given<T> {
  return Object.fromEntries(Object.entries(members).filter(([, member]) => member !== undefined)) as Given<T>
}
