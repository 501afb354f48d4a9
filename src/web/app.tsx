import type { JSX } from 'preact'
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { SessionAnswer } from '../http/schemas.ts'
import { hashOf } from './address.ts'
import type { Address } from './address.ts'
import { Alarm } from './alarm.tsx'
import { errorWords } from './api.ts'
import type { Api } from './api.ts'
import { ConnectionMark } from './connection-mark.tsx'
import { EndpointsView } from './endpoints-view.tsx'
import { JobView } from './job-view.tsx'
import { JobsView } from './jobs-view.tsx'
import type { Live } from './live.ts'
import { PageContext, useAddress } from './page.ts'
import { isSignedIn } from './session.ts'
import type { Session } from './session.ts'
import { SignIn } from './sign-in.tsx'
import { useReadable } from './store.ts'
import { UpstreamsView } from './upstreams-view.tsx'

interface AppProps {
  readonly api: Api
  readonly session: Session
  readonly live: Live
}

/** The whole page: a sign-in where one is needed, else the views. */
export function App({ api, session, live }: AppProps) {
  const who = useReadable(session.who)
  const refusal = useReadable(session.refusal)
  useEffect(() => void session.check(), [session])
  // Nothing is shown that may turn out wrong.
  if (who === null) return <p class="starting">{refusal ?? 'Looking for jobwatch …'}</p>
  if (!isSignedIn(who)) return <SignIn session={session} />
  return <SignedIn {...{ api, session, live, who }} />
}

function SignedIn({ api, session, live, who }: AppProps & { readonly who: SessionAnswer }) {
  const [told, setTold] = useState<Told | null>(null)
  const mayWrite = who.scopes.includes('write')
  useEffect(() => {
    live.start()
    return () => live.stop()
  }, [live, who.name])
  const tell = useCallback(
    (words: string, kind: Told['kind'] = 'good') => setTold({ words, kind }),
    [],
  )
  const page = useMemo(() => ({ api, live, mayWrite, tell }), [api, live, mayWrite, tell])
  const address = useAddress()
  const generation = useReadable(live.generation)

  async function signOut(): Promise<void> {
    try {
      await session.signOut()
    } catch (error) {
      tell(errorWords(error), 'bad')
    }
  }

  return (
    <PageContext.Provider value={page}>
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to the content
      </a>
      <header class="top">
        <a class="brand" href="#/">
          <img src="./favicon.svg" alt="" width="24" height="24" />
          jobwatch
        </a>
        <nav aria-label="Views">
          <NavLink view="jobs" address={address} href="#/">
            Jobs
          </NavLink>
          <NavLink view="endpoints" address={address} href="#/endpoints">
            Endpoints <Trouble live={live} of="endpoints" />
          </NavLink>
          <NavLink view="upstreams" address={address} href="#/upstreams">
            Upstreams <Trouble live={live} of="upstreams" />
          </NavLink>
        </nav>
        <ConnectionMark live={live} />
        <Alarm />
        {who.required && (
          <button type="button" class="quiet" onClick={() => void signOut()}>
            Sign out
            <span class="unseen"> {who.name}</span>
          </button>
        )}
      </header>
      <main id="main" tabIndex={-1}>
        <View key={generation} address={address} />
      </main>
      <Toast told={told} onOver={() => setTold(null)} />
    </PageContext.Provider>
  )
}

function View({ address }: { readonly address: Address }) {
  const heading = useRef(address.view)
  // From a job the way back leads to the list as it was filtered.
  const list = useRef('#/')
  if (address.view === 'jobs') list.current = hashOf(address)
  useEffect(() => {
    // Whoever reads by ear hears where a link has led.
    if (heading.current !== address.view) document.querySelector('h1')?.focus()
    heading.current = address.view
    // The list goes back to where it was by itself.
    if (address.view !== 'jobs') window.scrollTo(0, 0)
  }, [address.view])
  switch (address.view) {
    case 'jobs':
      return <JobsView filters={address.filters} />
    case 'job': {
      const { upstream, jobid } = address.key
      return <JobView key={`${upstream}/${jobid}`} back={list.current} {...{ upstream, jobid }} />
    }
    case 'endpoints':
      return <EndpointsView />
    case 'upstreams':
      return <UpstreamsView />
  }
}

interface NavLinkProps {
  readonly view: Address['view']
  readonly address: Address
  readonly href: string
  readonly children: JSX.Element | string | (JSX.Element | string)[]
}

function NavLink({ view, address, href, children }: NavLinkProps) {
  const isHere = address.view === view
  return (
    <a href={href} {...(isHere && { 'aria-current': 'page' as const })}>
      {children}
    </a>
  )
}

/** How many of them are not well. */
function Trouble({ live, of }: { readonly live: Live; readonly of: 'endpoints' | 'upstreams' }) {
  const surroundings = useReadable(live.surroundings)
  const states = surroundings?.[of].map(({ state }): string => state) ?? []
  const count = states.filter((state) => state !== 'active' && state !== 'up').length
  if (count === 0) return null
  return (
    <span class="badge">
      {count}
      <span class="unseen"> not well</span>
    </span>
  )
}

function skipToMain(event: Event): void {
  event.preventDefault()
  document.querySelector<HTMLElement>('#main')?.focus()
}

interface Told {
  readonly words: string
  readonly kind: 'good' | 'bad'
}

const toastMs = 8000

function Toast({ told, onOver }: { readonly told: Told | null; readonly onOver: () => void }) {
  useEffect(() => {
    if (told?.kind !== 'good') return
    const timer = setTimeout(onOver, toastMs)
    return () => clearTimeout(timer)
  }, [told])
  return (
    <div class="toasts" role="status" aria-live="polite">
      {told !== null && (
        <p class={`toast ${told.kind}`}>
          <span>{told.words}</span>
          <button type="button" class="quiet" onClick={onOver} aria-label="Close this note">
            ✕
          </button>
        </p>
      )}
    </div>
  )
}
