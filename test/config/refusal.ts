import { expect } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { UsageError } from '../../src/core/errors.ts'

export const anAuth = { token: 'an-upstream-token' }
export const anUpstream = {
  name: 'prod',
  root: 'https://gis.example.com/arcgis/admin',
  auth: anAuth,
}

/** The message with which something is refused: a UsageError, which ends the daemon with 2. */
export function refusalOf(attempt: () => unknown): string {
  try {
    attempt()
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return (error as UsageError).message
  }
  return expect.fail('it was accepted')
}

/** What is wrong with a configuration, a line for each thing. */
export function faultsIn(value: unknown, env: Record<string, string> = {}): string[] {
  const message = refusalOf(() => parseConfig(value, 'the test', env))
  const [first, ...lines] = message.split('\n')
  expect(first).toContain('the test')
  return lines.map((line) => line.trim())
}
