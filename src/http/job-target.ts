import type { JobKey } from '../core/job.ts'
import type { ApiUpstream } from './deps.ts'
import { invalidField } from './problem.ts'
import type { RegisterJob } from './requests/jobs.ts'

/** Which job at which upstream a registration names; throws a 400 that says what is missing. */
export function targetOf(input: RegisterJob, upstreams: readonly ApiUpstream[]): JobKey {
  const field = input.jobsUrl === undefined ? 'url' : 'jobsUrl'
  const url = input.jobsUrl ?? input.url
  if (url !== undefined) return targetOfUrl(url, field, input, upstreams)
  if (input.jobid === undefined) {
    throw invalidField('jobid', 'give the job by jobid or by url')
  }
  return { jobid: input.jobid, upstream: upstreamOf(input.upstream, upstreams) }
}

function targetOfUrl(
  text: string,
  field: string,
  { jobid: claimed, upstream: wanted }: RegisterJob,
  upstreams: readonly ApiUpstream[],
): JobKey {
  if (!URL.canParse(text)) throw invalidField(field, 'must be the absolute URL of a job')
  const url = new URL(text)
  const candidates = upstreams.flatMap((upstream) => {
    const jobid = upstream.jobidOf(url)
    return jobid === null ? [] : [{ jobid, upstream: upstream.name }]
  })
  const roots = upstreams.map(({ root }) => `${root}/jobs/<jobid>`).join(' or ') || 'none'
  const [first] = candidates
  if (first === undefined) {
    throw invalidField(field, `is no job of a configured upstream; jobs have URLs such as ${roots}`)
  }
  if (wanted === undefined && candidates.length > 1) {
    const names = candidates.map(({ upstream }) => upstream).join(', ')
    throw invalidField('upstream', `several upstreams have this root, say which one: ${names}`)
  }
  const found = wanted === undefined ? first : candidates.find((item) => item.upstream === wanted)
  if (found === undefined) {
    throw invalidField('upstream', `the URL belongs to the upstream ${first.upstream}`)
  }
  if (claimed !== undefined && claimed !== found.jobid) {
    throw invalidField('jobid', `the URL names the job ${found.jobid}; give one of the two`)
  }
  return found
}

function upstreamOf(wanted: string | undefined, upstreams: readonly ApiUpstream[]): string {
  const names = upstreams.map(({ name }) => name)
  const [only] = names
  if (only === undefined) throw invalidField('upstream', 'no upstream is configured')
  if (wanted === undefined) {
    if (names.length === 1) return only
    throw invalidField('upstream', `say which one: ${names.join(', ')}`)
  }
  if (names.includes(wanted)) return wanted
  throw invalidField('upstream', `must be one of ${names.join(', ')}`)
}
