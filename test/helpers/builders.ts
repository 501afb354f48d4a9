import type { EndpointSpec } from '../../src/core/endpoint.ts'
import { Secret } from '../../src/core/secret.ts'
import { unseenJob } from '../../src/core/job.ts'
import type { Job, Stage } from '../../src/core/job.ts'
import type { SeenStage, Snapshot } from '../../src/core/observation.ts'

/** A moment that tests can count from. */
export const noon = Date.parse('2026-01-05T12:00:00.000Z')

/** A job as it is registered and not yet seen, unless told otherwise. */
export function aJob(fields: Partial<Job> = {}): Job {
  return {
    ...unseenJob({ upstream: 'prod', jobid: 'j-1' }, noon),
    id: 1,
    revision: 1,
    ...fields,
  }
}

/** What a look at a running job yields, unless told otherwise. */
export function aSnapshot(fields: Partial<Snapshot> = {}): Snapshot {
  return {
    status: 'EXECUTING',
    rawStatus: 'EXECUTING',
    name: null,
    operation: '/gis/admin/services/Parks.MapServer/edit',
    resource: null,
    username: 'siteadmin',
    requestId: 'r-1',
    startedAt: noon,
    endedAt: null,
    updatedAt: noon,
    stages: null,
    stagesOf: 'progress',
    furtherStages: { done: 0, total: 0 },
    messages: null,
    result: undefined,
    ...fields,
  }
}

/** A stage as a document lists it. */
export function aSeenStage(name: string, state: SeenStage['state'], occurrence = 1): SeenStage {
  return { name, state, occurrence, rawState: state }
}

/** A stage as a job holds it. */
export function aStage(name: string, state: Stage['state'], fields: Partial<Stage> = {}): Stage {
  return { ...aSeenStage(name, state), startedAt: null, endedAt: null, ...fields }
}

/** An endpoint that wants everything and is not signed, unless told otherwise. */
export function anEndpointSpec(name: string, fields: Partial<EndpointSpec> = {}): EndpointSpec {
  return {
    name,
    format: 'slack',
    url: new Secret('http://receiver.invalid/'),
    mail: null,
    secret: null,
    filter: {},
    headers: {},
    fold: false,
    timeoutMs: 15_000,
    ...fields,
  }
}
