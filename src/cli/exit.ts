/** Ends the program with this code; what there is to say has been said. */
export class Exit extends Error {
  override readonly name = 'Exit'
  readonly exitCode: number

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`)
    this.exitCode = exitCode
  }
}
