import eslint from '@eslint/js'
import { relative, sep } from 'node:path'
import tseslint from 'typescript-eslint'
import { importFault } from './scripts/import-rules.mjs'

/** Shows an import that scripts/import-rules.mjs does not allow. */
const boundaries = {
  create(context) {
    const file = relative('src', context.filename).split(sep).join('/')
    const check = (node) => {
      if (!node.source) return
      const fault = importFault(file, node.source.value)
      if (fault) context.report({ node, message: fault })
    }
    return { ImportDeclaration: check, ExportNamedDeclaration: check, ExportAllDeclaration: check }
  },
}

export default tseslint.config(
  { ignores: ['dist*/', 'coverage/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // noPropertyAccessFromIndexSignature asks for the brackets.
      '@typescript-eslint/dot-notation': 'off',
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    plugins: { jobwatch: { rules: { boundaries } } },
    rules: {
      'jobwatch/boundaries': 'error',
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
    },
  },
  {
    files: ['scripts/**/*.mjs', 'bench/**/*.mjs', '*.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        Buffer: 'readonly',
        performance: 'readonly',
        fetch: 'readonly',
        setTimeout: 'readonly',
        setInterval: 'readonly',
      },
    },
    rules: { 'no-console': 'off' },
  },
  {
    // Parts of it run in a browser.
    files: ['scripts/pictures/emoji.mjs'],
    languageOptions: {
      globals: { document: 'readonly', NodeFilter: 'readonly', Image: 'readonly' },
    },
  },
)
