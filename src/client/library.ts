/*
 * The package's public entry, `jobwatch/client`; docs/client.md tells how to use it. What is not
 * here is the package's own.
 */

export { createClient } from './client.ts'
export type {
  AtUpstream,
  Client,
  EventQuery,
  Following,
  JobQuery,
  WaitOptions,
  WaitResult,
} from './client.ts'
export { follow } from './follow.ts'
export type { FollowOptions, FollowQuery, FollowState } from './follow.ts'
export { endingOf } from './wait.ts'
export type { Ending, JobNews } from './wait.ts'
export { isTestEvent, verifyWebhook, WebhookError } from './webhooks.ts'
export type {
  TestEvent,
  WebhookBody,
  WebhookErrorCode,
  WebhookEvent,
  WebhookHeaders,
} from './webhooks.ts'
export { ClientError, DaemonUnreachable, WaitTimeout } from './errors.ts'
export type { ClientOptions } from './caller.ts'
export type { ConnectionOptions } from './connection.ts'
export type { DeliveryCalls, DeliveryQuery } from './deliveries.ts'
export type {
  EndpointCalls,
  EndpointChanges,
  EndpointInput,
  MailInput,
  MatchInput,
  PageQuery,
  ReplayInput,
} from './endpoints.ts'
export type { EventFilters } from './filters.ts'
export type { FollowItem } from './position.ts'
export type {
  AttemptAnswer,
  DeliveryAnswer,
  DeliveryDetail,
  DeliveryList,
  EndpointAnswer,
  EndpointList,
  EndpointWithSecret,
  EventAnswer,
  EventData,
  EventList,
  JobAnswer,
  JobInEvent,
  JobList,
  ProblemAnswer,
  RegisterJobInput,
  ReplayAnswer,
  Stage,
} from './answers.ts'
