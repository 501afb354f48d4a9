/** Writes moments for people, in the language and time zone of the browser. */

const dayMs = 86_400_000

/** `14:03` of today, `yesterday 14:03`, else with the date. `now` is epoch ms. */
export function shortMoment(time: string | null, now: number): string {
  if (time === null) return '–'
  const at = new Date(time)
  const clock = at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })
  return `${dayMoment(time, now)} ${clock}`.trimStart()
}

/** The same to the second. */
export function exactMoment(time: string, now: number): string {
  return `${dayMoment(time, now)} ${clockMoment(time)}`.trimStart()
}

/** The day, where it is not today. `now` is epoch ms. */
export function dayMoment(time: string, now: number): string {
  const at = new Date(time)
  if (isSameDay(at, new Date(now))) return ''
  if (isSameDay(at, new Date(now - dayMs))) return 'yesterday'
  const isNear = Math.abs(now - at.getTime()) < 300 * dayMs
  return at.toLocaleDateString(undefined, {
    day: 'numeric',
    month: 'short',
    ...(!isNear && { year: 'numeric' }),
  })
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
