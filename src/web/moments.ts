/** Writes moments for people, in the language and time zone of the browser. */

const dayMs = 86_400_000

/** `14:03` of today, `yesterday 14:03`, else with the date. `now` is epoch ms. */
export function shortMoment(time: string | null, now: number): string {
  if (time === null) return '–'
  const at = new Date(time)
  const clock = at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })
  if (isSameDay(at, new Date(now))) return clock
  if (isSameDay(at, new Date(now - dayMs))) return `yesterday ${clock}`
  const isNear = Math.abs(now - at.getTime()) < 300 * dayMs
  const date = at.toLocaleDateString(undefined, {
    day: 'numeric',
    month: 'short',
    ...(!isNear && { year: 'numeric' }),
  })
  return `${date} ${clock}`
}

/** Day and time to the second. */
export function fullMoment(time: string): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
}

/** The time of the day to the second. */
export function clockMoment(time: string | number): string {
  return new Date(time).toLocaleTimeString(undefined, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
}

function isSameDay(a: Date, b: Date): boolean {
  return a.toDateString() === b.toDateString()
}
