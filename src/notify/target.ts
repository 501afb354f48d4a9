import { Agent } from 'undici'
import type { EndpointSpec } from '../core/endpoint.ts'
import { formats } from './registry.ts'
import type { Carrier, Target } from './send.ts'

export interface TargetDeps {
  /** Connections to one endpoint. */
  readonly connections: number
}

/** Makes what endpoints are delivered through. */
export function createTargets({ connections }: TargetDeps) {
  /** Connections of its own: endpoints on one host must not wait for each other. */
  function carrierOf(): Carrier {
    const http = new Agent({ connections, pipelining: 1 })
    return {
      http,
      mail: () => Promise.reject(new Error('there is no mail yet')),
      close: () => http.destroy(),
    }
  }

  return {
    refusalOf: (): Promise<string | null> => Promise.resolve(null),
    /** An endpoint as a target of deliveries; a carrier that is given is kept. */
    targetOf(
      { name, format, url, headers, timeoutMs }: EndpointSpec,
      carrier?: Carrier,
    ): Omit<Target, 'secretsAt'> {
      return {
        name,
        format: formats[format],
        url,
        headers,
        timeoutMs,
        carrier: carrier ?? carrierOf(),
      }
    },
  }
}
