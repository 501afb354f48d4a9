import { execFileSync } from 'node:child_process'

/** Builds `dist/` before the tests, unless it is newer than its sources: some tests run it. */
export default function setup(): void {
  execFileSync(process.execPath, ['scripts/build.mjs', '--if-needed'], { stdio: 'inherit' })
}
