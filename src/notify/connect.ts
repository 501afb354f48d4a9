import type { LookupAddress } from 'node:dns'
import { isIP } from 'node:net'
import type { LookupFunction } from 'node:net'
import { Agent, buildConnector, Pool, ProxyAgent } from 'undici'
import type { Dispatcher } from 'undici'
import { RefusedAddress } from '../request.ts'
import { isLocalhost, literalOf, refusalOfAny, systemLookup } from './guard.ts'
import type { Guard, Lookup } from './guard.ts'

export interface ConnectorOptions {
  readonly guard: Guard
  readonly lookup?: Lookup
  /** The certificates to believe, as PEM; those that Node knows unless it is given. */
  readonly ca?: string
}

export interface AgentOptions extends ConnectorOptions {
  /** The URL of an egress proxy; null: connect directly. */
  readonly proxy: string | null
  /** Connections per origin at most. */
  readonly connections: number
}

/** So long a name's next address waits for the one before, in ms. */
const nextAddressMs = 1000

/**
 * An agent that connects only to where the guard lets it; fails with `RefusedAddress` otherwise.
 * A proxy is the operator's word and resolves the names itself, so what it may reach is up to it;
 * addresses that the URL itself says are checked all the same.
 */
export function createAgent({ proxy, connections, ...options }: AgentOptions): Dispatcher {
  if (proxy === null) return new Agent({ connect: createConnector(options), connections })
  const { guard, ca } = options
  return new ProxyAgent({
    uri: proxy,
    connections,
    ...(ca !== undefined && { requestTls: { ca }, proxyTls: { ca } }),
    factory(origin, poolOptions) {
      refuseLiteral(new URL(origin).hostname, guard)
      return new Pool(origin, poolOptions)
    },
  })
}

/**
 * undici's connector behind the guard: what is checked is what is connected to, while Host, SNI and
 * the check of the certificate stay with the name. One refused address refuses the whole name.
 */
export function createConnector({
  guard,
  lookup = systemLookup,
  ca,
}: ConnectorOptions): buildConnector.connector {
  const connect = buildConnector({
    lookup: guarded(lookup, guard),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: nextAddressMs,
    ...(ca !== undefined && { ca }),
  })
  return (options, callback) => {
    // Node asks no lookup about addresses.
    const refusal = isIP(options.hostname) === 0 ? null : guard.refusalOf(options.hostname)
    if (refusal !== null) {
      queueMicrotask(() => {
        callback(new RefusedAddress(refusal), null)
      })
      return
    }
    connect(options, (error, socket) => {
      if (error !== null) {
        callback(error, null)
        return
      }
      // A second barrier, should Node ever connect to something else than it was told. A socket
      // without an address is already closed.
      const { remoteAddress } = socket
      const lateRefusal = remoteAddress === undefined ? null : guard.refusalOf(remoteAddress)
      if (lateRefusal === null) {
        callback(null, socket)
        return
      }
      socket.destroy()
      callback(new RefusedAddress(lateRefusal), null)
    })
  }
}

/** A lookup for Node that fails when the guard refuses one of the addresses. */
function guarded(lookup: Lookup, guard: Guard): LookupFunction {
  const find = async (hostname: string): Promise<LookupAddress[]> => {
    const addresses = await lookup(hostname)
    const refusal = refusalOfAny(guard, addresses)
    if (refusal !== null) throw new RefusedAddress(refusal)
    return addresses.map((address) => ({ address, family: isIP(address) }))
  }
  return (hostname, { all }, callback) => {
    find(hostname).then(
      (found) => {
        const [first] = found
        if (first === undefined) callback(notFound(), [])
        else if (all === true) callback(null, found)
        else callback(null, first.address, first.family)
      },
      (error: unknown) => {
        callback(error instanceof Error ? error : notFound(), [])
      },
    )
  }
}

function notFound(): NodeJS.ErrnoException {
  return Object.assign(new Error('the name has no address'), { code: 'ENOTFOUND' })
}

function refuseLiteral(hostname: string, guard: Guard): void {
  const address = isLocalhost(hostname) ? '127.0.0.1' : literalOf(hostname)
  const refusal = address === null ? null : guard.refusalOf(address)
  if (refusal !== null) throw new RefusedAddress(refusal)
}
