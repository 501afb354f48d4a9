import { changeWords } from '../core/change-words.ts'
import { faceOf } from '../core/face.ts'
import type { EventAnswer } from '../http/schemas.ts'
import { paint, safe, shortStatus, shortTime } from './output.ts'
import type { Style } from './output.ts'

/** One event as one line: time, seq, type, title, what changed. */
export function eventLine(event: EventAnswer, style: Style): string {
  const { time, type, subject, data } = event
  const words = safe(
    changeWords(data.change, {
      status: data.job && shortStatus(data.job),
      reason: data.job?.reason,
      timeOf: shortTime,
    }),
  )
  const face = data.change.kind === 'status' && data.job ? faceOf(data.job) : null
  const emoji = style.emoji && face ? `${face.emoji} ` : ''
  const title = safe(data.job?.title ?? subject)
  const what = emoji + (face ? paint(style, face.colour)(words) : words)
  return `${shortTime(time)}  #${data.seq}  ${safe(type)}  ${title}  ${what}`.trimEnd() + '\n'
}
