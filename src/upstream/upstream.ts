import type { Failed, Snapshot } from '../core/observation.ts'
import type { RequestError } from '../request.ts'

/**
 * One configured deployment whose jobs can be looked at. Nothing here rejects for what the world
 * does: outages, refusals and nonsense are looks that failed.
 */
export interface Upstream {
  readonly name: string
  readonly kind: string
  readonly root: string
  /**
   * Looks at one job. `known` is the fingerprint of the last document of it that was taken in; when
   * the document is still the same the look ends there, before anything is parsed.
   */
  fetchJob(jobid: string, known: string | null): Promise<Look>
  /** Asks for the ids of all jobs there are. */
  listJobs(): Promise<Listing>
  /** Ends the pause after a refused or failed token request: the next request may ask for one. */
  retryToken(): void
  status(): UpstreamStatus
  /**
   * Tries out what jobwatch needs of the deployment, and tells of each step once it is done. What it
   * tells is fit to be shown to strangers: secrets, user names and hosts are replaced.
   */
  examine(): AsyncIterable<Finding>
  /** The jobid that a URL of this deployment names; null when the URL is none of its jobs'. */
  jobidOf(url: URL): string | null
  close(): Promise<void>
}

/** An observation with what the poller keeps of it. */
export type Look =
  | { readonly outcome: 'same' }
  | {
      readonly outcome: 'seen'
      readonly snapshot: Snapshot
      /** The document, verbatim. */
      readonly document: string
      readonly fingerprint: string
    }
  | { readonly outcome: 'missing'; readonly detail: string }
  | FailedRequest

/** Why a request got nothing usable; `cause` says more where no whole answer came. */
export type FailedRequest = Failed & { readonly cause?: RequestError }

/** What the deployment lists. */
export type Listing = { readonly outcome: 'listed'; readonly jobids: readonly string[] } | Failed

/** What one step of an examination found. */
export interface Finding {
  readonly step: 'token' | 'jobs' | 'job' | 'unknown job'
  /** `denied`: the credentials or the privileges are at fault; `fails`: anything else is. */
  readonly verdict: 'works' | 'denied' | 'fails' | 'skipped'
  /** For the administrator, in sentences; what is wrong comes with what to do. */
  readonly says: string
  /** What the answer shows of this deployment that its documentation leaves open. */
  readonly facts: readonly string[]
  /** Null when nothing was asked. */
  readonly exchange: Exchange | null
}

/** A request and its answer. `status` null: none came. The body is cut visibly. */
export interface Exchange {
  readonly request: string
  readonly status: number | null
  readonly contentType: string | null
  readonly body: string
}

/** What an upstream tells of itself. */
export interface UpstreamStatus {
  /** Epoch ms; null when there is no token, or none that expires. */
  readonly tokenExpiresAt: number | null
  /** Requests of the last minute, those for tokens included. */
  readonly requestsPerSecond: number
  /** The deployment's clock less this one, by its last answer; null before it, or without a date. */
  readonly clockSkewMs: number | null
}
