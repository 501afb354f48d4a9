import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** What the daemon counts and measures of itself; docs/metrics.md explains each to its readers. */
export type Metrics = ReturnType<typeof createMetrics>

const stretches = ['commit', 'parse', 'page', 'readers', 'batch'] as const
/** Work of ours during which the event loop stands still. */
export type Stretch = (typeof stretches)[number]

/** Values of a gauge by its labels; one that is not known now is null, and left out. */
export type Readings<Label extends string> = readonly (readonly [
  labels: Readonly<Record<Label, string>>,
  value: number | null,
])[]

const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const lagBuckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
/** Nothing should take longer than 20 ms at a time: the bound that tells whether it did. */
const stretchBuckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5]
const commitBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

/**
 * All metrics, in one registry of their own. A label's values come from a fixed set or from the
 * configuration, never from what is sent to the daemon: each costs memory for ever.
 */
export function createMetrics({ version }: { version: string }) {
  const registry = new Registry()
  const registers = [registry]

  function counter<L extends string = never>(name: string, help: string, labelNames: L[] = []) {
    return new Counter({ name, help, labelNames, registers })
  }

  function histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: L[] = [],
  ) {
    return new Histogram({ name, help, buckets, labelNames, registers })
  }

  /** A gauge is read when it is asked for; until it is said how, it has no value. */
  function gauge<L extends string = never>(name: string, help: string, labelNames: L[] = []) {
    let read = (): Readings<L> | Promise<Readings<L>> => []
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      async collect() {
        const readings = await read()
        this.reset()
        // A reset leaves a 0 where there are no labels.
        if (labelNames.length === 0) this.remove()
        for (const [labels, value] of readings) if (value !== null) this.set(labels, value)
      },
    })
    return {
      readWith(next: typeof read): void {
        read = next
      },
    }
  }

  const buildInfo = gauge('jobwatch_build_info', 'Always 1', ['version'])
  buildInfo.readWith(() => [[{ version }, 1]])
  const startTime = gauge('jobwatch_start_time_seconds', 'When the daemon started')
  const startedAt = Date.now() / 1000
  startTime.readWith(() => [[{}, startedAt]])
  collectDefaultMetrics({ register: registry, prefix: 'jobwatch_' })

  // prettier-ignore
  const stretchDuration = histogram('jobwatch_stretch_duration_seconds', 'Work that nothing could interrupt, by what it was', stretchBuckets, ['what'])
  for (const what of stretches) stretchDuration.zero({ what })

  // prettier-ignore
  return {
    // Upstreams and polling
    jobs: gauge('jobwatch_jobs', 'Jobs that are looked at and have not ended', ['upstream', 'state']),
    polls: counter('jobwatch_polls_total', 'Looks at jobs by what was answered', ['upstream', 'result']),
    pollErrors: counter('jobwatch_poll_errors_total', 'Failed looks by why', ['upstream', 'reason']),
    pollDuration: histogram('jobwatch_poll_duration_seconds', 'One look, the wait for its turn left out', requestBuckets, ['upstream']),
    pollLag: histogram('jobwatch_poll_lag_seconds', 'How late a look begins, the wait for its turn included', lagBuckets, ['upstream']),
    upstreamLastSuccess: gauge('jobwatch_upstream_last_success_timestamp_seconds', 'When a look last got a usable answer', ['upstream']),
    upstreamState: gauge('jobwatch_upstream_state', '1 for the state the upstream is in, 0 for the others', ['upstream', 'state']),
    upstreamBreaker: gauge('jobwatch_upstream_breaker_state', '0 while all looks are made, 1 while there are only probes', ['upstream']),
    tokenExpiry: gauge('jobwatch_upstream_token_expiry_timestamp_seconds', 'When the token in use expires', ['upstream']),
    tokenRenewals: counter('jobwatch_upstream_token_renewals_total', 'Requests for a token by what came of them', ['upstream', 'result']),
    clockSkew: gauge('jobwatch_upstream_clock_skew_seconds', "The upstream's clock less this one, by the Date of its last answer", ['upstream']),

    // Events
    events: counter('jobwatch_events_total', 'Events written, by type', ['type']),
    lastSeq: gauge('jobwatch_event_log_last_seq', 'The newest seq'),
    oldestSeq: gauge('jobwatch_event_log_oldest_seq', 'The oldest seq that is kept'),
    commitDuration: histogram('jobwatch_event_commit_duration_seconds', 'One transaction that wrote events, its sync to disk included', commitBuckets),

    // Deliveries
    deliveryAttempts: counter('jobwatch_delivery_attempts_total', 'Attempts by what came of them', ['format', 'result']),
    deliveries: counter('jobwatch_deliveries_total', 'Deliveries that came to their end: taken, or given up', ['format', 'result']),
    deliveryDuration: histogram('jobwatch_delivery_duration_seconds', 'One attempt', requestBuckets, ['format']),
    outboxPending: gauge('jobwatch_outbox_pending', 'Deliveries that are pending, counted up to 100000'),
    endpoints: gauge('jobwatch_endpoints', 'Endpoints by how they are', ['state']),
    outboxOldestAge: gauge('jobwatch_outbox_oldest_age_seconds', 'Age of the oldest pending delivery; 0 when there is none'),

    // Feed
    sseClients: gauge('jobwatch_sse_clients', 'Open streams'),
    sseQueuedBytes: gauge('jobwatch_sse_queued_bytes', 'Written to streams and not yet taken by their sockets'),
    sseLag: gauge('jobwatch_sse_lag_events', 'Events that the reader furthest behind has yet to come past'),
    sseEventsSent: counter('jobwatch_sse_events_sent_total', 'Events written to streams'),
    sseDisconnects: counter('jobwatch_sse_disconnects_total', 'Streams that ended, by why', ['reason']),
    sseResets: counter('jobwatch_sse_resets_total', 'Readers told that events they asked for are no longer kept'),

    // API
    httpDuration: histogram('jobwatch_http_request_duration_seconds', "One request, the feed's streams left out", requestBuckets, ['method', 'route', 'status']),
    authFailures: counter('jobwatch_auth_failures_total', 'Requests refused with 401 or 403, by the code of the answer', ['reason']),

    // Retention and files
    pruned: counter('jobwatch_pruned_total', 'Events, deliveries and jobs that were kept for long enough', ['what']),
    diskFree: gauge('jobwatch_disk_free_bytes', 'Room that is left beside the database file'),
    dbSize: gauge('jobwatch_db_size_bytes', 'The database file'),
    walSize: gauge('jobwatch_wal_size_bytes', 'Its write-ahead log'),

    /** Notes how long something held everything else up. */
    noteStretch: (what: Stretch, durationMs: number): void => {
      stretchDuration.observe({ what }, durationMs / 1000)
    },

    contentType: registry.contentType,
    /** All of them as Prometheus reads them, the gauges read now. */
    text: () => registry.metrics(),
  }
}
