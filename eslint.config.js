import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** A suppression says why: `// eslint-disable-next-line rule -- reason`. */
const reasons = {
  meta: { type: 'suggestion', schema: [], messages: { missing: 'Say why behind `--`.' } },
  create: context => ({
    Program() {
      for (const comment of context.sourceCode.getAllComments()) {
        if (/^\s*eslint-disable/.test(comment.value) && !/\s--\s+\S/.test(comment.value)) {
          context.report({ loc: comment.loc, messageId: 'missing' })
        }
      }
    },
  }),
}

const outside = name => ({ name, message: 'The outside belongs to stores/, server/, cli/ and named edge files.' })
const argument = (object, property) => ({
  object,
  property,
  message: 'Time and randomness are arguments: take a Clock or a Random.',
})

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'bench/peers/', 'web/']),
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { skein: { rules: { reasons } } },
    rules: { 'skein/reasons': 'error' },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/ban-ts-comment': [
        'error',
        { 'ts-expect-error': 'allow-with-description', minimumDescriptionLength: 10 },
      ],
      '@typescript-eslint/consistent-type-exports': ['error', { fixMixedExportsWithInlineTypeSpecifier: true }],
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { disallowTypeAnnotations: false, fixStyle: 'inline-type-imports' },
      ],
      '@typescript-eslint/no-floating-promises': ['error', { checkThenables: true }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      // `ErrorCode | (string & {})` and the like document what is known.
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // Isolated declarations ask for assertions that inference could do without.
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      // An async function without await turns a throw into a rejection, which is what a port promises.
      '@typescript-eslint/require-await': 'off',
      // Objects here are closures; methods don't use `this`.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ['**/*.test.ts', '**/*.contract.ts', 'test/**/*.ts'],
    rules: { 'max-lines': ['error', 600], '@typescript-eslint/no-unsafe-assignment': 'off' },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/{stores,server,cli}/**', '**/*.test.ts', '**/*.contract.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-globals': ['error', ...['process', 'fetch', 'WebSocket', 'EventSource'].map(outside)],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/kernel/{clock,random}.ts', '**/*.test.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        argument('Date', 'now'),
        argument('Math', 'random'),
        argument('crypto', 'randomUUID'),
      ],
      'no-restricted-syntax': [
        'error',
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Time is an argument: take a Clock.' },
      ],
    },
  },
  { files: ['bin/*.cjs'], languageOptions: { ecmaVersion: 5, sourceType: 'commonjs' } },
)
