/**
 * An error that is our own or our user's fault: broken configuration, bad input, a broken invariant.
 * What the world does (timeouts, refusals) is a value, never one of these.
 */
export class AppError extends Error {
  override readonly name: string = 'AppError'
  /** Stable, machine-readable; in API answers it is the problem's `code`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The configuration or the command line is wrong: exit code 2. */
export class UsageError extends AppError {
  override readonly name = 'UsageError'
}
