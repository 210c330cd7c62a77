import { registerHooks } from 'node:module'

/**
 * A dependency of the AI SDK exports its TypeScript under the condition `source`, which we use for our own files, and Node
 * does not strip types in node_modules. Import this first: it resolves that package without the condition.
 */
registerHooks({
  resolve: (specifier, context, next) =>
    specifier.startsWith('eventsource-parser')
      ? next(specifier, { ...context, conditions: context.conditions.filter(condition => condition !== 'skein-source') })
      : next(specifier, context),
})
