import type { FastifyInstance } from 'fastify'
import { isSigned } from '../../core/endpoint.ts'
import type { EndpointSpec } from '../../core/endpoint.ts'
import { defaultEvents, defaultFold, toEndpointSpec, toMail } from '../../endpoint-settings.ts'
import type { StoredEndpoint } from '../../store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { toAttemptAnswer, toEndpointAnswer } from '../endpoint-answer.ts'
import { endpointOperations } from '../operations/endpoints.ts'
import { pageOf } from '../page-cursor.ts'
import { HttpProblem, invalidField } from '../problem.ts'
import type { PatchEndpoint } from '../requests/endpoints.ts'
import { serve } from '../serve.ts'

/** The calls on endpoints: make, list, show, change, remove, try, enable, disable, rotate, replay. */
export function endpointRoutes(
  app: FastifyInstance,
  { endpoints, endpointDefaults }: ApiDeps,
): void {
  async function answer(endpoint: StoredEndpoint | null) {
    if (endpoint === null) {
      throw new HttpProblem(404, 'endpoint_not_found', 'The endpoint was removed meanwhile')
    }
    return toEndpointAnswer(endpoint, await endpoints.countPending(endpoint.id))
  }

  /** The endpoint that a path names. */
  async function one({ name }: { name: string }): Promise<StoredEndpoint> {
    const endpoint = await endpoints.find(name)
    if (endpoint !== null) return endpoint
    throw new HttpProblem(404, 'endpoint_not_found', `There is no endpoint named ${name}`)
  }

  /** Likewise, when it is one that the API may change. */
  async function changeable(params: { name: string }): Promise<StoredEndpoint> {
    const endpoint = await one(params)
    if (endpoint.origin === 'api') return endpoint
    const { name } = endpoint.spec
    const detail = `The endpoint ${name} comes from the configuration: change it there and restart`
    throw new HttpProblem(409, 'endpoint_configured', detail)
  }

  /** Refuses an address that endpoints made over the API may not have. */
  async function checkAddress(spec: EndpointSpec): Promise<void> {
    const refusal = await endpoints.refusalOf(spec)
    if (refusal !== null) throw invalidField(spec.mail === null ? 'url' : 'settings.host', refusal)
  }

  async function secretAnswer(endpoint: StoredEndpoint | null) {
    const shown = await answer(endpoint)
    const secret = endpoint?.secret?.reveal()
    return { ...shown, ...(secret !== undefined && { secret }) }
  }

  serve(app, endpointOperations.list, async ({ query }) => {
    const { items, next } = pageOf(await endpoints.list(), query)
    return { items: await Promise.all(items.map(answer)), next }
  })

  serve(app, endpointOperations.get, async ({ params }) => answer(await one(params)))

  serve(app, endpointOperations.add, async ({ body }, _, reply) => {
    const spec = toEndpointSpec(body, endpointDefaults)
    await checkAddress(spec)
    const endpoint = await endpoints.add(spec)
    if (endpoint === null) {
      const detail = `There is already an endpoint named ${spec.name}: choose another name, or change that one`
      throw new HttpProblem(409, 'endpoint_exists', detail)
    }
    return reply.code(201).send(await secretAnswer(endpoint))
  })

  serve(app, endpointOperations.change, async ({ params, body: patch }) => {
    const { id, spec } = await changeable(params)
    const changed = patched(spec, patch, endpointDefaults)
    if (patch.url !== undefined || patch.settings !== undefined) await checkAddress(changed)
    return answer(await endpoints.change(id, changed))
  })

  serve(app, endpointOperations.remove, async ({ params }, _, reply) => {
    await endpoints.remove((await changeable(params)).id)
    return reply.code(204).send()
  })

  serve(app, endpointOperations.test, async ({ params }) => {
    const result = await endpoints.test(await one(params))
    if (result === null) {
      throw new HttpProblem(404, 'endpoint_not_found', 'The endpoint was removed meanwhile')
    }
    return toAttemptAnswer(result)
  })

  for (const verb of ['enable', 'disable'] as const) {
    serve(app, endpointOperations[verb], async ({ params }) => {
      const { id } = await one(params)
      return answer(await endpoints[verb](id))
    })
  }

  serve(app, endpointOperations.rotateSecret, async ({ params }) => {
    const { id, spec } = await one(params)
    if (!isSigned(spec)) {
      const detail = `${spec.name} has no secret: only what goes to webhooks is signed`
      throw new HttpProblem(409, 'endpoint_unsigned', detail)
    }
    if (spec.secret !== null) {
      const detail = `The secret of ${spec.name} is in the configuration: change it there and restart`
      throw new HttpProblem(409, 'endpoint_configured', detail)
    }
    return secretAnswer(await endpoints.rotateSecret(id))
  })

  serve(app, endpointOperations.replay, async ({ params, body }, _, reply) => {
    const { after, since, until, types } = body
    const { id, spec, health } = await one(params)
    if (health.state === 'disabled') {
      const detail = `${spec.name} is disabled, so nothing is delivered to it: enable it first`
      throw new HttpProblem(409, 'endpoint_disabled', detail)
    }
    const queued = await endpoints.replay({
      endpointId: id,
      from: since === undefined ? { after: after ?? 0 } : { since },
      until: until === undefined ? null : typeof until === 'number' ? { seq: until } : until,
      types,
    })
    return reply.code(202).send({ queued })
  })
}

/** A spec with what was sent in place of what was; null brings the default back. */
function patched(
  spec: EndpointSpec,
  { url, events, match, headers, fold, timeout, settings }: PatchEndpoint,
  { timeoutMs }: ApiDeps['endpointDefaults'],
): EndpointSpec {
  if (url !== undefined && spec.url === null) {
    throw invalidField('url', 'an endpoint for mail has none: its settings say where it goes')
  }
  if (settings !== undefined && spec.mail === null) {
    throw invalidField('settings', `the format ${spec.format} has none`)
  }
  const { upstreams, tags = [], jobids = [] } = spec.filter
  const matching =
    match === undefined
      ? { upstream: upstreams, tag: tags, jobid: jobids }
      : (match ?? { upstream: [], tag: [], jobid: [] })
  return {
    ...spec,
    url: url ?? spec.url,
    mail: settings === undefined ? spec.mail : toMail(settings),
    filter: {
      types:
        events === undefined ? spec.filter.types : (events ?? defaultEvents(spec.format, matching)),
      upstreams: matching.upstream,
      tags: matching.tag,
      jobids: matching.jobid,
    },
    headers: headers === undefined ? spec.headers : (headers ?? {}),
    fold: fold === undefined ? spec.fold : (fold ?? defaultFold(spec.format)),
    timeoutMs: timeout === undefined ? spec.timeoutMs : (timeout ?? timeoutMs),
  }
}
