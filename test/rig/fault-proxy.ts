import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Random } from './random.ts'
import type { Trail } from './trail.ts'
import { now } from './trace.ts'

/** What becomes of a connection, by the names that Toxiproxy has for it. */
const toxics = { latency: 0.15, reset_peer: 0.05, timeout: 0.03, limit_data: 0.05 } as const

export interface ProxyOptions {
  readonly name: string
  readonly to: string
  readonly random: Random
  readonly trail: Trail
}

/** A stretch of network on 127.0.0.1 that is bad until it is told to be good. */
export class FaultProxy {
  readonly url: string
  readonly #close: () => Promise<void>
  readonly #state: ProxyState

  private constructor(url: string, state: ProxyState, close: () => Promise<void>) {
    this.url = url
    this.#state = state
    this.#close = close
  }

  static async open(options: ProxyOptions): Promise<FaultProxy> {
    const state: ProxyState = { isBad: true, isDown: false, pairs: new Set() }
    const server = createServer({ allowHalfOpen: true }, (client) => carry(client, options, state))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return new FaultProxy(`http://127.0.0.1:${port}`, state, async () => {
      const closed = once(server, 'close')
      server.close()
      for (const pair of state.pairs) pair.cut('reset')
      await closed
    })
  }

  /** Resets every connection, and every new one, until `mend`. */
  fail(): void {
    this.#state.isDown = true
    for (const pair of this.#state.pairs) pair.cut('reset')
  }

  mend(): void {
    this.#state.isDown = false
  }

  /** From now on everything is carried as it comes; what was spoilt already is cut. */
  heal(): void {
    this.#state.isBad = false
    this.#state.isDown = false
    for (const pair of this.#state.pairs) if (pair.isSpoilt) pair.cut('reset')
  }

  close(): Promise<void> {
    return this.#close()
  }
}

interface Pair {
  isSpoilt: boolean
  cut(how: 'reset' | 'end'): void
}

interface ProxyState {
  isBad: boolean
  isDown: boolean
  readonly pairs: Set<Pair>
}

function carry(client: Socket, { name, to, random, trail }: ProxyOptions, state: ProxyState): void {
  if (state.isDown) {
    client.on('error', () => undefined)
    client.resetAndDestroy()
    return
  }
  const { hostname, port } = new URL(to)
  const server = connect(Number(port), hostname)
  const toxic = state.isBad ? random.oneOf(toxics) : null
  let isHeld = false
  let left = toxic === 'limit_data' ? random.int(1, 6000) : Infinity
  const latencyMs = toxic === 'latency' ? random.between(10, 150) : 0

  const hurt = (): void => {
    const { localPort } = server
    trail.write({ kind: 'hurt', at: now(), connection: `${name}:${String(localPort)}` })
  }
  const pair: Pair = {
    isSpoilt: toxic !== null,
    cut(how) {
      hurt()
      if (how === 'end') client.end()
      else client.resetAndDestroy()
      server.destroy()
    },
  }
  state.pairs.add(pair)

  function pass(chunk: Buffer, into: Socket): void {
    if (isHeld || into.destroyed) return
    if (chunk.length >= left) {
      // What is cut off was cut off amid something, most likely.
      into.write(chunk.subarray(0, left))
      isHeld = true
      setImmediate(() => pair.cut(random.chance(0.5) ? 'reset' : 'end'))
      return
    }
    left -= chunk.length
    if (latencyMs === 0) into.write(chunk)
    else setTimeout(() => !into.destroyed && into.write(chunk), latencyMs)
  }

  for (const [from, into] of [
    [client, server],
    [server, client],
  ] as const) {
    from.on('data', (chunk: Buffer) => pass(chunk, into))
    from.on('end', () => setTimeout(() => into.end(), latencyMs))
    // A connection that breaks is closed, which is told below.
    from.on('error', () => undefined)
    from.on('close', () => {
      state.pairs.delete(pair)
      into.destroy()
    })
  }
  if (toxic !== 'reset_peer' && toxic !== 'timeout') return
  const spoil = setTimeout(
    () => {
      if (client.destroyed) return
      if (toxic === 'reset_peer') pair.cut('reset')
      else {
        // Nothing comes through any more, and nobody is told.
        isHeld = true
        hurt()
      }
    },
    random.between(0, 3000),
  )
  client.on('close', () => clearTimeout(spoil))
}
