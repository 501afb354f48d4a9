/** What is kept in mind of a job between two looks, and forgotten when the process ends. */
export interface Memory {
  /** Looks in a row in which the upstream did not know the job. */
  readonly misses: { readonly count: number; readonly since: number } | null
  /** Looks in a row that showed COMPLETED in a document that does not look finished. */
  readonly confirming: number
}

/** Nothing in mind. */
export const forgetful: Memory = { misses: null, confirming: 0 }

/** True when nothing is in mind. */
export function isForgetful({ misses, confirming }: Memory): boolean {
  return misses === null && confirming === 0
}
