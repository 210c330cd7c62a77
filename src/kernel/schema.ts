import { invalidInput, SkeinError } from './errors.ts'

/** What users hand in to describe data: any validator of the Standard Schema family (zod, valibot, arktype, …). */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
      }[]
    }

export function isStandardSchema(value: unknown): value is StandardSchema {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value
}

/** The checked value, or `input.invalid` with every issue and its path. */
export async function validate<Output>(schema: StandardSchema<Output>, value: unknown): Promise<Output> {
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined) return result.value
  const issues = result.issues.map(issue => ({ path: pathText(issue.path ?? []), message: issue.message }))
  const first = issues[0]
  throw first === undefined
    ? invalidInput('', 'Refused by its schema.')
    : new SkeinError('input.invalid', `${first.path}: ${first.message}`, { details: { path: first.path, issues } })
}

const pathText = (path: readonly (PropertyKey | { readonly key: PropertyKey })[]): string =>
  path.map(step => String(typeof step === 'object' ? step.key : step)).join('.')
