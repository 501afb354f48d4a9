import { onTestFinished } from 'vitest'
import { startSimulator } from '../../src/simulator/simulator.ts'
import type { Simulator, SimulatorOptions } from '../../src/simulator/simulator.ts'

/** When the stopped clock begins: the time base of the traces. */
export const startedAt = 1_760_000_000_000

/** A simulator that closes when the test has finished. */
export async function simulatorFor(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator(options)
  onTestFinished(() => simulator.close())
  return simulator
}

/** A clock that stands still until it is told to go on. */
export function stoppedClock() {
  let at = startedAt
  return {
    now: () => at,
    pass: (ms: number) => {
      at += ms
    },
  }
}

/** Asks for a token as the daemon does; resolves with whatever is answered. */
export function askForToken(
  { url, username, password }: Simulator,
  fields: Record<string, string> = {},
): Promise<Response> {
  const form = {
    username,
    password,
    client: 'referer',
    referer: 'jobwatch',
    expiration: '60',
    f: 'json',
    ...fields,
  }
  return fetch(`${url}/gis/sharing/rest/generateToken`, {
    method: 'POST',
    body: new URLSearchParams(form),
  })
}

export async function requestToken(simulator: Simulator, fields: Record<string, string> = {}) {
  const response = await askForToken(simulator, fields)
  return (await response.json()) as { token: string; expires: number; ssl: boolean }
}

export function jobUrl(simulator: Simulator, jobid: string): string {
  return `${simulator.root}/jobs/${jobid}`
}

export function get(url: string, token: string): Promise<Response> {
  return fetch(url, { headers: { authorization: `Bearer ${token}` }, redirect: 'manual' })
}

export async function getJson(url: string, token: string): Promise<unknown> {
  return (await get(`${url}?f=json`, token)).json()
}
