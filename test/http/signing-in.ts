import { expect } from 'vitest'
import { startApp } from '../helpers/app.ts'
import type { Answer, Call, TestApp } from '../helpers/app.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

export const minute = 60_000
export const hour = 60 * minute
export const ops = { name: 'ops', token: 'canary-ops-token', scopes: ['read', 'write'] }
export const writer = { name: 'writer', token: 'canary-writer-token', scopes: ['write'] }
export const reader = { name: 'Wand 7 · Büro', token: 'canary-reader-token', scopes: ['read'] }
/** What a browser says of a call by our own page. */
export const ownPage = { 'sec-fetch-site': 'same-origin' }

/** A daemon with these tokens, whose time the test lets pass. */
export async function start({ tokens = [ops, writer, reader], more = {} } = {}) {
  const clock = new FakeClock()
  const app = await startApp({ clock, config: () => ({ api: { tokens }, ...more }) })
  return { ...app, clock }
}
export type Started = Awaited<ReturnType<typeof start>>

export function signIn(app: Pick<TestApp, 'call'>, token: string, headers: Call['headers'] = {}) {
  return app.call('/v1/session', { method: 'POST', headers, body: { token } })
}

/** The cookie that an answer sets, as a browser sends it back. */
export function cookieOf({ headers }: Pick<Answer, 'headers'>): string {
  const header = headers['set-cookie']
  expect(header).toBeDefined()
  expect([header].flat()).toHaveLength(1)
  return String(header).split(';')[0] ?? ''
}

/** The cookie of a new session. */
export async function signedIn(app: Pick<TestApp, 'call'>, { token } = ops): Promise<string> {
  const answer = await signIn(app, token)
  expect(answer.status, answer.text).toBe(204)
  return cookieOf(answer)
}

/** What is answered to who asks with a cookie. */
export async function statusWith(app: Pick<TestApp, 'call'>, cookie: string): Promise<number> {
  return (await app.call('/v1/jobs', { headers: { cookie } })).status
}
