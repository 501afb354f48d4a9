import type { Failed } from '../../core/observation.ts'
import type { TokenAnswer } from '../token.ts'
import type { Finding, Listing, Look } from '../upstream.ts'
import { jobFacts, listFacts, tokenFacts, unknownJobFacts } from './facts.ts'
import { explain } from './trouble.ts'
import type { Reply, Situation } from './trouble.ts'

/** What is to be told of an answer. */
export type Verdict = Pick<Finding, 'verdict' | 'says' | 'facts'>

export function judgeToken(
  reply: Reply,
  given: TokenAnswer,
  expirationMs: number,
  situation: Situation,
): Verdict {
  if (given.outcome !== 'token') return troubled('token', reply, given, situation)
  return {
    verdict: 'works',
    says: 'The portal gives the account a token.',
    facts: tokenFacts(reply.json, expirationMs, situation.now),
  }
}

export function judgeList(reply: Reply, listing: Listing, situation: Situation): Verdict {
  if (listing.outcome !== 'listed') return troubled('jobs', reply, listing, situation)
  const count = listing.jobids.length
  const there =
    count === 0 ? 'there are none at present' : `there ${count === 1 ? 'is 1' : `are ${count}`}`
  return {
    verdict: 'works',
    says: `The account may list the jobs; ${there}.`,
    facts: listFacts(reply.json, situation.quote),
  }
}

export function judgeJob(reply: Reply, look: Look, situation: Situation): Verdict {
  const { quote } = situation
  if (look.outcome === 'same') throw new Error('no document is known that this one could be')
  if (look.outcome === 'seen') {
    return {
      verdict: 'works',
      says: `The account may read a listed job; its status is ${quote(look.snapshot.rawStatus)}.`,
      facts: jobFacts(reply.json, look.snapshot, situation),
    }
  }
  const { status, error } = reply.answer
  const isWhole = error === null
  const isGone = look.outcome === 'missing' || (isWhole && status === 404)
  const isUnreadable = isWhole && status === 200 && 'failure' in look && look.failure === 'protocol'
  if (look.outcome === 'failed' && !isGone && !isUnreadable) {
    return troubled('job', reply, look, situation)
  }
  const what = isGone
    ? 'This job is listed, but could not be read; it may have gone just now'
    : 'The answer is no job that jobwatch can read'
  return {
    verdict: 'fails',
    says: `${what}: ${quote(look.detail)}. Run this again; if it stays so, please report the answers below.`,
    facts: [],
  }
}

/** A job that is not there has to be answered as such: only so can jobwatch tell that one is lost. */
export function judgeUnknownJob(
  reply: Reply,
  look: Look,
  listing: Listing,
  situation: Situation,
): Verdict {
  const facts = unknownJobFacts(reply, situation.quote)
  if (look.outcome === 'missing') {
    return {
      verdict: 'works',
      says: 'For a job that does not exist, the answer is that there is none.',
      facts,
    }
  }
  const isDenied = look.outcome === 'failed' && look.failure === 'denied'
  if (isDenied && listing.outcome !== 'listed') {
    const says = 'The account is refused this as well. What is said of the list holds here too.'
    return { verdict: 'denied', says, facts }
  }
  const isRefusal =
    look.outcome === 'failed' && ['auth', 'denied', 'throttled'].includes(look.failure)
  if (look.outcome === 'failed' && (isRefusal || reply.answer.error !== null)) {
    return { ...troubled('unknown job', reply, look, situation), facts }
  }
  const how = look.outcome === 'failed' ? situation.quote(look.detail) : 'a job'
  return {
    verdict: 'fails',
    says: `A job that does not exist is answered with ${how}, which does not tell that there is none: jobwatch would miss when a job is gone (no job.lost). Run this again; if it stays so, please report the answer below.`,
    facts,
  }
}

function troubled(
  step: Finding['step'],
  reply: Reply,
  failed: Failed,
  situation: Situation,
): Verdict {
  return { ...explain(step, reply, failed, situation), facts: [] }
}
