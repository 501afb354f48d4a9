import type { FollowState } from '../client/follow.ts'
import type { FollowItem } from '../client/position.ts'
import { safe } from './output.ts'

/** Why the feed is not there, in words. */
export function lostWords({ reason }: Extract<FollowState, { state: 'lost' }>): string {
  return `not connected, trying again: ${safe(reason)}`
}

/** Has it said once that the feed was lost and why, and once that it is back. */
export function connectionNotices(say: (words: string) => void): (state: FollowState) => void {
  let lostFor: string | null = null
  return (now) => {
    if (now.state === 'open') {
      if (lostFor !== null) say('connected')
      lostFor = null
    } else if (now.reason !== lostFor) {
      lostFor = now.reason
      say(lostWords(now))
    }
  }
}

/** What a gap means to whoever follows the log. */
export function gapWords({ asked, oldest, newest }: Extract<FollowItem, { kind: 'gap' }>): string {
  const kept = oldest === null ? 'none is kept' : `kept are ${oldest} to ${newest}`
  return `gap: events after ${safe(asked)} are no longer there, or that is no event of this log; ${kept}`
}
