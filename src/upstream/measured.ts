import type { Metrics } from '../metrics.ts'
import type { Upstream } from './upstream.ts'

/** An upstream whose looks are counted and timed. */
export function measured(upstream: Upstream, metrics: Metrics): Upstream {
  const { name } = upstream
  // A rate can only be told of what has been there before it grew.
  for (const result of ['seen', 'same', 'missing', 'failed']) {
    metrics.polls.inc({ upstream: name, result }, 0)
  }
  return {
    ...upstream,
    async fetchJob(jobid, known) {
      const startedAt = performance.now()
      const look = await upstream.fetchJob(jobid, known)
      metrics.pollDuration.observe({ upstream: name }, (performance.now() - startedAt) / 1000)
      metrics.polls.inc({ upstream: name, result: look.outcome })
      if (look.outcome === 'failed') {
        metrics.pollErrors.inc({ upstream: name, reason: look.cause ?? look.failure })
      }
      return look
    },
  }
}
