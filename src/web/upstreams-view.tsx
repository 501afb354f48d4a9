import { upstreamFaces } from '../core/face.ts'
import { safe } from '../core/safe.ts'
import type { UpstreamAnswer } from '../http/schemas.ts'
import { hashOf, noFilters } from './address.ts'
import { StateMark } from './face.tsx'
import { fullMoment, shortMoment } from './moments.ts'
import { useNow, usePage } from './page.ts'
import { useReadable } from './store.ts'

/** The deployments that are asked about jobs, and how asking them goes. */
export function UpstreamsView() {
  const { live } = usePage()
  const upstreams = useReadable(live.surroundings)?.upstreams
  return (
    <>
      <h1 tabIndex={-1}>Upstreams</h1>
      {upstreams === undefined && <p role="status">Loading …</p>}
      {upstreams?.length === 0 && (
        <p>
          None is configured: name one under <code>upstreams</code> in the configuration.
        </p>
      )}
      <ul class="cards">
        {upstreams?.map((upstream) => (
          <UpstreamCard key={upstream.name} upstream={upstream} />
        ))}
      </ul>
    </>
  )
}

function UpstreamCard({ upstream }: { readonly upstream: UpstreamAnswer }) {
  const now = useNow()
  const { name, root, state, since, lastSuccessAt, lastError, tokenExpiresAt } = upstream
  const { requestsPerSecond, jobs } = upstream
  return (
    <li class={`card ${upstreamFaces[state].colour}`}>
      <h2>
        {name} <StateMark face={upstreamFaces[state]} words={state} />
      </h2>
      {lastError !== null && <p class="reason">{safe(lastError)}</p>}
      <dl class="facts">
        <Fact name="Since" value={shortMoment(since, now)} title={fullMoment(since)} />
        <Fact
          name="Last success"
          value={shortMoment(lastSuccessAt, now)}
          {...(lastSuccessAt !== null && { title: fullMoment(lastSuccessAt) })}
        />
        <Fact
          name="Token good until"
          value={tokenExpiresAt === null ? 'not known' : shortMoment(tokenExpiresAt, now)}
        />
        <Fact name="Requests per second" value={rateWords(requestsPerSecond)} />
        <div>
          <dt>Jobs that run</dt>
          <dd>
            <a
              href={hashOf({
                view: 'jobs',
                filters: { ...noFilters, state: 'active', upstream: name },
              })}
            >
              {jobs}
            </a>
          </dd>
        </div>
        <div>
          <dt>Root</dt>
          <dd>
            {/^https?:\/\//.test(root) ? (
              <a href={root} target="_blank" rel="noreferrer">
                {root}
              </a>
            ) : (
              root
            )}
          </dd>
        </div>
      </dl>
    </li>
  )
}

interface FactProps {
  readonly name: string
  readonly value: string
  readonly title?: string
}

function Fact({ name, value, title }: FactProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd {...(title !== undefined && { title })}>{value}</dd>
    </div>
  )
}

function rateWords(rate: number): string {
  return rate > 0 && rate < 0.1 ? 'less than 0.1' : rate.toFixed(1)
}
