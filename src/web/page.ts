import { createContext } from 'preact'
import { useContext, useEffect, useState } from 'preact/hooks'
import { parseAddress } from './address.ts'
import type { Address } from './address.ts'
import type { Api } from './api.ts'
import type { Live } from './live.ts'
import { useReadable } from './store.ts'

/** What every view of a signed-in person stands on. */
export interface Page {
  readonly api: Api
  readonly live: Live
  /** Whether this person may change things. */
  readonly mayWrite: boolean
  /** Tells how something that the person did has come out. */
  readonly tell: (words: string, kind?: 'good' | 'bad') => void
}

export const PageContext = createContext<Page | null>(null)

export function usePage(): Page {
  const page = useContext(PageContext)
  if (page === null) throw new Error('a view outside of the page')
  return page
}

/** The view that the address in the browser names. */
export function useAddress(): Address {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const update = () => setHash(location.hash)
    window.addEventListener('hashchange', update)
    return () => window.removeEventListener('hashchange', update)
  }, [])
  return parseAddress(hash)
}

/** The time by the daemon's clock, which goes on every second while somebody looks. */
export function useNow(): number {
  return useReadable(usePage().live.clock)
}
