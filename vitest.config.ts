import { configDefaults, defineConfig } from 'vitest/config'
import { hasBrowser } from './test/helpers/browser.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(hasBrowser ? [] : ['test/page/**'])],
    // The end-to-end tests run the built daemon.
    globalSetup: ['test/helpers/build.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    restoreMocks: true,
  },
})
