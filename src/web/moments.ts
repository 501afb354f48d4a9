/** Writes moments for people, in the language and time zone of the browser. */

const dayMs = 86_400_000

/** `14:03` of today, `yesterday 14:03`, else with the date. `now` is epoch ms. */
export function shortMoment(time: string | null, now: number): string {
  if (time === null) return '–'
  const at = new Date(time)
  return (
    dayWords(at, now) + at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })
  )
}

/** The same to the second. */
export function exactMoment(time: string, now: number): string {
  return dayWords(new Date(time), now) + clockMoment(time)
}

/** The day, where it is not today. */
function dayWords(at: Date, now: number): string {
  if (isSameDay(at, new Date(now))) return ''
  if (isSameDay(at, new Date(now - dayMs))) return 'yesterday '
  const isNear = Math.abs(now - at.getTime()) < 300 * dayMs
  const date = at.toLocaleDateString(undefined, {
    day: 'numeric',
    month: 'short',
    ...(!isNear && { year: 'numeric' }),
  })
  return `${date} `
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
