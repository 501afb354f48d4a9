import { describe } from 'vitest'
import { attemptCases } from './contract/attempts.ts'
import { deliveryCases } from './contract/deliveries.ts'
import { discoveredCases } from './contract/discovered.ts'
import { endpointCases } from './contract/endpoints.ts'
import { eventCases } from './contract/events.ts'
import { foldCases } from './contract/fold.ts'
import { lifetimeCases } from './contract/lifetime.ts'
import { listCases } from './contract/list.ts'
import { lookCases } from './contract/looks.ts'
import { orderCases } from './contract/order.ts'
import { outboxCases } from './contract/outbox.ts'
import { pruneCases } from './contract/prune.ts'
import { registryCases } from './contract/registry.ts'
import { replayCases } from './contract/replay.ts'
import { upstreamCases } from './contract/upstreams.ts'
import { walkCases } from './contract/walk.ts'
import type { OpenStore } from './harness.ts'

/** What every store keeps to, whatever it is made of. A backend that passes this works. */
export function runStoreContract(name: string, open: OpenStore): void {
  describe(name, () => {
    registryCases(open)
    lookCases(open)
    eventCases(open)
    listCases(open)
    outboxCases(open)
    orderCases(open)
    attemptCases(open)
    lifetimeCases(open)
    upstreamCases(open)
    discoveredCases(open)
    endpointCases(open)
    deliveryCases(open)
    foldCases(open)
    replayCases(open)
    pruneCases(open)
    walkCases(open)
  })
}
