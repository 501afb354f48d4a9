import type { Fault } from './fault.ts'
import type { FaultInForce, FaultOptions } from './faults.ts'
import type { PresetName } from './presets.ts'
import type { ScenarioKind } from './scenarios.ts'
import type { Trace, TraceTarget } from './trace.ts'

export interface SubmitOptions {
  /** What the operation acts on, decoded: a service, a registry's id, a backup store. */
  readonly target?: string
  /** A factor on the scenario's times; 0.1 plays ten times as fast. */
  readonly pace?: number
}

/** The answer to a submit; `jobsUrl` names one job, in spite of its name. */
export interface Submitted {
  readonly jobsUrl: string
  readonly jobid: string
}

export interface PlayOptions {
  readonly target?: TraceTarget
  /** Of a job; another than the trace's own is written into its documents. */
  readonly jobid?: string
  /** A factor on the trace's times. */
  readonly pace?: number
}

/** What plays a trace; the job's id and URL are null where it is no job. */
export interface Played {
  readonly target: TraceTarget
  readonly jobsUrl: string | null
  readonly jobid: string | null
}

/** How often something was asked for so far, refused requests included. */
export interface RequestCounts {
  readonly tokens: number
  /** Looks at the list of jobs. */
  readonly lists: number
  /** Looks at one job, by the id asked for. */
  readonly jobs: ReadonlyMap<string, number>
}

/** What can be done to a simulated Enterprise: by tests in the process, by anyone over HTTP. */
export interface Verbs {
  /** Where the Administrator API begins: `http://127.0.0.1:PORT/<context>/admin`. */
  readonly root: string
  readonly username: string
  readonly requests: RequestCounts
  /** The ids of all jobs, the newest first. */
  readonly jobids: readonly string[]
  /** Oldest first; of several that fit a request, the oldest is applied to it. */
  readonly faults: readonly FaultInForce[]
  /** Plays a trace from now on, on what it is made for unless told otherwise. */
  play(trace: Trace, options?: PlayOptions): Played
  /** The list of jobs and the token operation answer as usual again. */
  endTraces(): void
  /** Starts a built-in scenario, like the operation that makes such a job. */
  submit(kind: ScenarioKind, options?: SubmitOptions): Submitted
  /** Makes the job's id unknown; false when it was. */
  removeJob(jobid: string): boolean
  removeJobs(): void
  /** Lets something go wrong with requests to come: a preset by its name, or any fault. */
  inject(fault: Fault | PresetName, options?: FaultOptions): FaultInForce
  /** False when there is none with this id. */
  clearFault(id: number): boolean
  clearFaults(): void
  /** From now on all tokens handed out so far are answered with 498. */
  expireTokens(): void
  /** From now on another password is right, and the tokens handed out so far are not. */
  setPassword(password: string): void
}
