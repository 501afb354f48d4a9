import type { Database } from 'better-sqlite3'
import type { JobKey } from '../src/core/job.ts'

export function writeJobs(
  db: Database,
  jobs: readonly JobKey[],
  how: { readonly epoch: string; readonly now: () => number },
): void
