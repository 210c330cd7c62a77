import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

const repository = new URL('../../', import.meta.url)
const { exports } = JSON.parse(readFileSync(new URL('package.json', repository), 'utf8')) as {
  exports: Readonly<Record<string, { readonly default: string }>>
}

/**
 * Preloaded by `--import`, beside `--conditions=skein-source`: `skein` and its subpaths are the source, so that examples run
 * as a user writes them, without a build. What the package doesn't export can't be imported here either.
 */
registerHooks({
  resolve(specifier, context, next) {
    const found = /^skein(\/.*)?$/.exec(specifier)
    const built = found === null ? undefined : exports[`.${found[1] ?? ''}`]?.default
    if (built === undefined) return next(specifier, context)
    const source = built.replace('./dist/', './src/').replace(/\.js$/, '.ts')
    return { url: new URL(source, repository).href, shortCircuit: true }
  },
})
