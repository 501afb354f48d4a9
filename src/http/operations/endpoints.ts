import * as examples from '../examples.ts'
import type { AnswerContent, Operation } from '../operation.ts'
import {
  CreateEndpoint,
  EndpointParams,
  PatchEndpoint,
  ReplayEndpoint,
} from '../requests/endpoints.ts'
import { ListAll, NoBody } from '../requests/fields.ts'
import {
  AttemptAnswer,
  EndpointAnswer,
  EndpointList,
  EndpointWithSecret,
  ReplayAnswer,
} from '../schemas.ts'

const endpointContent: AnswerContent = { schema: EndpointAnswer, example: examples.endpoint }
const secretContent: AnswerContent = {
  schema: EndpointWithSecret,
  example: examples.endpointWithSecret,
}
const noBody = { schema: NoBody, examples: { nothing: {} } }
const noEndpoint = ['endpoint_not_found'] as const
const ofEndpoint = { path: '/v1/endpoints/{name}', params: EndpointParams } as const

/** The calls on endpoints. */
export const endpointOperations = {
  list: {
    id: 'listEndpoints',
    method: 'GET',
    path: '/v1/endpoints',
    scope: 'read',
    summary: 'List endpoints',
    description: 'Those of the configuration come first, in their order, then the others by name.',
    query: ListAll,
    answers: {
      200: {
        description: 'A page of endpoints',
        content: { schema: EndpointList, example: { items: [examples.endpoint], next: null } },
      },
    },
  },
  add: {
    id: 'addEndpoint',
    method: 'POST',
    path: '/v1/endpoints',
    scope: 'write',
    summary: 'Add an endpoint',
    description:
      'A webhook without a secret gets one, and the answer is the only place where it is shown. ' +
      'Addresses that are not on the public internet are refused unless delivery.allow names them.',
    body: { schema: CreateEndpoint, examples: examples.added },
    answers: { 201: { description: 'The endpoint, with its secret', content: secretContent } },
    problems: ['endpoint_exists'],
  },
  get: {
    ...ofEndpoint,
    id: 'getEndpoint',
    method: 'GET',
    scope: 'read',
    summary: 'Show an endpoint',
    answers: { 200: { description: 'The endpoint', content: endpointContent } },
    problems: noEndpoint,
  },
  change: {
    ...ofEndpoint,
    id: 'changeEndpoint',
    method: 'PATCH',
    scope: 'write',
    summary: 'Change an endpoint',
    description:
      'What is left out stays, null brings the default back. Name, format and secret stay.',
    body: { schema: PatchEndpoint, examples: { fewerEvents: examples.changedEndpoint } },
    answers: { 200: { description: 'The endpoint as it is now', content: endpointContent } },
    problems: [...noEndpoint, 'endpoint_configured'],
  },
  remove: {
    ...ofEndpoint,
    id: 'removeEndpoint',
    method: 'DELETE',
    scope: 'write',
    summary: 'Remove an endpoint',
    description: 'What is still pending for it is cancelled.',
    answers: { 204: { description: 'It was removed' } },
    problems: [...noEndpoint, 'endpoint_configured'],
  },
  test: {
    ...ofEndpoint,
    id: 'testEndpoint',
    method: 'POST',
    path: '/v1/endpoints/{name}/test',
    scope: 'write',
    summary: 'Send a test event now',
    description: 'The event has the type jobwatch.test and is not in the log.',
    body: noBody,
    answers: {
      200: {
        description: 'The attempt, also one that failed',
        content: { schema: AttemptAnswer, example: examples.attempt },
      },
    },
    problems: noEndpoint,
  },
  enable: {
    ...ofEndpoint,
    id: 'enableEndpoint',
    method: 'POST',
    path: '/v1/endpoints/{name}/enable',
    scope: 'write',
    summary: 'Deliver to an endpoint again',
    description: 'From the next event on; a replay brings the others.',
    body: noBody,
    answers: { 200: { description: 'The endpoint as it is now', content: endpointContent } },
    problems: noEndpoint,
  },
  disable: {
    ...ofEndpoint,
    id: 'disableEndpoint',
    method: 'POST',
    path: '/v1/endpoints/{name}/disable',
    scope: 'write',
    summary: 'Deliver nothing more to an endpoint',
    description: 'What is still pending for it is cancelled.',
    body: noBody,
    answers: {
      200: {
        description: 'The endpoint as it is now',
        content: { schema: EndpointAnswer, example: examples.disabledEndpoint },
      },
    },
    problems: noEndpoint,
  },
  rotateSecret: {
    ...ofEndpoint,
    id: 'rotateSecret',
    method: 'POST',
    path: '/v1/endpoints/{name}/rotate-secret',
    scope: 'write',
    summary: 'Give an endpoint a new secret',
    description: 'The old one signs along for 24 hours.',
    body: noBody,
    answers: {
      200: { description: 'The endpoint, with its new secret', content: secretContent },
    },
    problems: [...noEndpoint, 'endpoint_unsigned', 'endpoint_configured'],
  },
  replay: {
    ...ofEndpoint,
    id: 'replayEvents',
    method: 'POST',
    path: '/v1/endpoints/{name}/replay',
    scope: 'write',
    summary: 'Send past events to an endpoint again',
    description:
      "Those that the endpoint's filter lets through, in order, with the same ids and texts.",
    body: { schema: ReplayEndpoint, examples: examples.replay },
    answers: {
      202: {
        description: 'The deliveries are made',
        content: { schema: ReplayAnswer, example: { queued: 42 } },
      },
    },
    problems: [...noEndpoint, 'endpoint_disabled'],
  },
} as const satisfies Readonly<Record<string, Operation>>
