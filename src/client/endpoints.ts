import type {
  AttemptAnswer,
  EndpointAnswer,
  EndpointList,
  EndpointWithSecret,
  ReplayAnswer,
} from './answers.ts'
import { pathSegment } from './caller.ts'
import type { Caller, ObjectAnswer } from './caller.ts'

/** Where mail goes and how. */
export interface MailInput {
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly password?: string
  readonly from?: string
  readonly to?: readonly string[]
}

/** Which events an endpoint gets; an empty or absent list lets everything through. */
export interface MatchInput {
  readonly upstream?: readonly string[]
  readonly tag?: readonly string[]
  readonly jobid?: readonly string[]
}

/** What may be changed of an endpoint: what is left out stays, null brings the default back. */
export interface EndpointChanges {
  readonly url?: string
  /** Globs over the type. */
  readonly events?: readonly string[] | null
  readonly match?: MatchInput | null
  readonly headers?: Readonly<Record<string, string>> | null
  readonly fold?: boolean | null
  /** A duration such as `15s`. */
  readonly timeout?: string | null
  /** Of mail; they are replaced as a whole. */
  readonly settings?: MailInput
}

/** A new endpoint. */
export interface EndpointInput extends EndpointChanges {
  readonly name: string
  readonly format?: EndpointAnswer['format']
  readonly secret?: string
}

/** Which events are to be sent again: those after a seq, or those since a time. */
export interface ReplayInput {
  readonly after?: number
  readonly since?: string
  /** A seq or a time, taken in as well. */
  readonly until?: number | string
  /** Globs over the type. */
  readonly types?: readonly string[]
}

export interface PageQuery {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

export interface EndpointCalls {
  /** One page. */
  listEndpoints(query?: PageQuery): Promise<EndpointList>
  getEndpoint(name: string): Promise<EndpointAnswer>
  /** `secret` is answered here and by `rotateSecret` alone. */
  addEndpoint(input: EndpointInput): Promise<EndpointWithSecret>
  changeEndpoint(name: string, changes: EndpointChanges): Promise<EndpointAnswer>
  removeEndpoint(name: string): Promise<void>
  /** Sends a test event and waits for what comes of it. */
  testEndpoint(name: string): Promise<AttemptAnswer>
  enableEndpoint(name: string): Promise<EndpointAnswer>
  disableEndpoint(name: string): Promise<EndpointAnswer>
  rotateSecret(name: string): Promise<EndpointWithSecret>
  replayEndpoint(name: string, input: ReplayInput): Promise<ReplayAnswer>
}

/** The daemon waits for the receiver, as long as the endpoint's own timeout lets it. */
const testTimeoutMs = 300_000

/** The calls on endpoints. */
export function endpointCalls({ call, parse }: Caller): EndpointCalls {
  async function post(name: string, verb: string, body?: object) {
    return call('POST', `${pathOf(name)}/${verb}`, body && { body })
  }

  return {
    async listEndpoints(query = {}) {
      return parse(await call('GET', '/v1/endpoints', { query: { ...query } }), isEndpointList)
    },
    async getEndpoint(name) {
      return parse(await call('GET', pathOf(name)), isEndpoint)
    },
    async addEndpoint(input) {
      return parse(await call('POST', '/v1/endpoints', { body: input }), isEndpointWithSecret)
    },
    async changeEndpoint(name, changes) {
      return parse(await call('PATCH', pathOf(name), { body: changes }), isEndpoint)
    },
    async removeEndpoint(name) {
      await call('DELETE', pathOf(name))
    },
    async testEndpoint(name) {
      const answer = await call('POST', `${pathOf(name)}/test`, { timeoutMs: testTimeoutMs })
      return parse(answer, isAttempt)
    },
    async enableEndpoint(name) {
      return parse(await post(name, 'enable'), isEndpoint)
    },
    async disableEndpoint(name) {
      return parse(await post(name, 'disable'), isEndpoint)
    },
    async rotateSecret(name) {
      return parse(await post(name, 'rotate-secret'), isEndpointWithSecret)
    },
    async replayEndpoint(name, input) {
      return parse(await post(name, 'replay', input), isReplay)
    },
  }
}

function pathOf(name: string): string {
  return `/v1/endpoints/${pathSegment(name, 'name of an endpoint')}`
}

function isEndpoint(value: ObjectAnswer): value is ObjectAnswer & EndpointAnswer {
  return typeof value['name'] === 'string'
}

function isEndpointWithSecret(value: ObjectAnswer): value is ObjectAnswer & EndpointWithSecret {
  return isEndpoint(value)
}

function isEndpointList(value: ObjectAnswer): value is ObjectAnswer & EndpointList {
  return Array.isArray(value['items'])
}

function isAttempt(value: ObjectAnswer): value is ObjectAnswer & AttemptAnswer {
  return typeof value['durationMs'] === 'number'
}

function isReplay(value: ObjectAnswer): value is ObjectAnswer & ReplayAnswer {
  return typeof value['queued'] === 'number'
}
