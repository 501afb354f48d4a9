import type { LoggedEvent } from '../core/event.ts'
import type { Format } from './format.ts'

/**
 * A line of text for a Slack incoming webhook: what happened, to which job, and why it failed.
 * Slack takes `&`, `<` and `>` for markup and nothing else (api.slack.com/reference/surfaces/formatting).
 */
export const slack: Format = {
  isMessage: true,
  per10s: 10,
  request: (event) => ({
    via: 'http',
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify({ text: textOf(event), unfurl_links: false }),
    signed: false,
  }),
  // Slack says `ok`, and what is wrong (`invalid_payload`) in the text even where the status is 200;
  // what else understands its messages may say nothing.
  judge: ({ status, text }) =>
    status >= 200 && status < 300 && !/^[a-z]+(_[a-z]+)+$/.test(text.trim())
      ? 'delivered'
      : 'retry',
}

const emoji: Readonly<Record<string, string>> = {
  'job.completed': ':white_check_mark:',
  'job.failed': ':x:',
  'job.cancelled': ':no_entry_sign:',
  'upstream.down': ':red_circle:',
  'upstream.denied': ':no_entry:',
  'upstream.up': ':large_green_circle:',
}
const maxText = 3000

interface Told {
  readonly subject: string
  readonly data: {
    readonly change: {
      readonly to?: string | null
      readonly stage?: string
      readonly reason?: string | null
    }
    readonly job?: {
      readonly title: string
      readonly upstream: string
      readonly username: string | null
      readonly outcome: string | null
      readonly reason: string | null
    }
  }
}

function textOf({ type, text }: LoggedEvent): string {
  const { subject, data } = JSON.parse(text) as Told
  const { change, job } = data
  const sign = job?.outcome === 'warning' ? ':warning:' : (emoji[type] ?? ':information_source:')
  const what =
    change.stage === undefined ? (change.to ?? type) : `${change.stage}: ${change.to ?? 'gone'}`
  const line = `${sign} *${escape(job?.title ?? subject)}* ${escape(what)}`
  const who =
    job === undefined ? '' : ` (${escape([job.upstream, job.username].filter(Boolean).join(', '))})`
  const reason = job?.reason ?? change.reason
  const why = reason ? `\n> ${escape(reason)}` : ''
  return cut(line + who + why)
}

/** Entities make text longer; what is escaped is one line, so that nothing can leave its place. */
function escape(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
}

function cut(text: string): string {
  return text.length <= maxText ? text : `${text.slice(0, maxText - 1)}…`
}
