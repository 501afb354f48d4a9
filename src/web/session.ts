import type { SessionAnswer } from '../http/schemas.ts'
import { Refusal } from './api.ts'
import type { Api } from './api.ts'
import { writable } from './store.ts'
import type { Readable } from './store.ts'

/** Who looks at the page, as far as the daemon knows; null while it has not said. */
export interface Session {
  readonly who: Readable<SessionAnswer | null>
  /** Why the daemon does not even say that. */
  readonly refusal: Readable<string | null>
  signIn(token: string): Promise<void>
  signOut(): Promise<void>
  /** The daemon has refused a call: asks it who this is. */
  check(): Promise<void>
}

/** All tabs of a browser share its cookie: what one does to it the others are told. */
const channelName = 'jobwatch-session'
const retryMs = 3000

export function createSession(api: Api): Session {
  const who = writable<SessionAnswer | null>(null)
  const refusal = writable<string | null>(null)
  const channel = new BroadcastChannel(channelName)
  channel.onmessage = () => void check()

  async function check(): Promise<void> {
    try {
      const { body } = await api.get<SessionAnswer>('v1/session')
      const before = who.get()
      if (JSON.stringify(before) !== JSON.stringify(body)) who.set(body)
      refusal.set(null)
    } catch (error) {
      refusal.set(error instanceof Refusal ? error.message : null)
      if (who.get() === null) setTimeout(() => void check(), retryMs)
    }
  }

  async function change(call: () => Promise<unknown>): Promise<void> {
    await call()
    await check()
    channel.postMessage(null)
  }

  return {
    who,
    refusal,
    check,
    signIn: (token) => change(() => api.post('v1/session', { token })),
    signOut: () => change(() => api.delete('v1/session')),
  }
}

/** Whether this session needs no sign-in, or has one. */
export function isSignedIn(who: SessionAnswer): boolean {
  return !who.required || who.name !== null
}
