import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { LoggedEvent } from '../../src/core/event.ts'
import { email } from '../../src/notify/email.ts'
import type { MailOutbound, Surroundings } from '../../src/notify/format.ts'
import { aJob } from '../helpers/builders.ts'
import { anyOccasion } from './any-event.ts'
import { inTime, jobEvent, occasionOf, shapes } from './occasions.ts'

function mailFor(event: LoggedEvent, surroundings: Surroundings): MailOutbound {
  const outbound = email.request(event, surroundings)
  if (outbound.via !== 'mail') throw new Error('a mail is no request')
  return outbound
}

function mailOf(name: string): MailOutbound {
  const [event, surroundings] = occasionOf(name)
  return mailFor(event, surroundings)
}

const failure = { kind: 'status', from: 'EXECUTING', to: 'FAILED', rawTo: 'FAILED' } as const

/** Tags in the order in which they stand. */
function tagsIn(html: string): string[] {
  return [...html.matchAll(/<(?:[^<>"]|"[^"]*")*>/g)].map(([tag]) => tag)
}

test.each(shapes)('%s', (_, [event, surroundings]) => {
  const { subject, text, html } = mailFor(event, surroundings)
  expect(`Subject: ${subject}\n\n${text}`).toMatchSnapshot('text')
  expect(html).toMatchSnapshot('html')
})

test('the text part can be read without anything else', () => {
  const { subject, text } = mailOf('failed')
  expect(subject).toBe('❌ FAILED: nightly backup (prod)')
  expect(text).toBe(`❌ FAILED: nightly backup (prod)

It failed in the stage relational after 12m30s, usually 8m00s.

> Not enough space on \\\\files\\backup: 12 GB needed, 3 GB free

Operation:    backup
Started by:   siteadmin
Started:      2026-01-05 11:47 UTC

3 of 5 stages done:
  ✅ validating: completed, 5s
  ✅ configuration: completed, 1m00s
  ✅ object_store: completed, 4m00s
  ❌ relational: failed, 7m25s
  ⏳ cleanup: pending

Last messages:
  • Backing up the object store
  • Backing up the relational store

Job in ArcGIS:
https://gis.example.com/arcgis/admin/jobs/sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c
Job in jobwatch:
https://jobwatch.example.com/#/jobs/prod/sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c

-- 
2026-01-05 12:00 UTC, event 7f3a9c-42, job
sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c at prod
`)
})

test('a late mail says so before all else', () => {
  const { text, html } = mailOf('late')
  expect(text).toMatch(
    /^❌ FAILED: [^\n]+\n\nThis message is 2h05m late: it is about 2026-01-05 12:00 UTC\.\n\nNow: ▶️ EXECUTING, 1 of 5 stages done\.\n/,
  )
  expect(html).toContain('This message is 2h05m late')
})

test('a subject is one line that cannot be anything else, and is cut where it is long', () => {
  const job = aJob({ label: `x\r\nBcc: a@evil.example\0${'y'.repeat(300)}`, status: 'FAILED' })
  const { subject } = mailFor(jobEvent(job, { type: 'job.failed', change: failure }), inTime)
  expect(subject).toMatch(/^❌ FAILED: x Bcc: a@evil\.example\\u0000y+…$/)
  expect(subject.length).toBeLessThanOrEqual(150)
})

test('text from upstream is no HTML', () => {
  const job = aJob({
    label: '<img src=x onerror=alert(1)>',
    status: 'FAILED',
    reason: '"</blockquote><script>\'&',
  })
  const { html } = mailFor(jobEvent(job, { type: 'job.failed', change: failure }), inTime)
  expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;')
  expect(html).toContain('&quot;&lt;/blockquote&gt;&lt;script&gt;&#39;&amp;')
  expect(html).not.toMatch(/<(?:img|script)/)
})

test('whatever an event holds, the mail has one-line headers and no markup but ours', () => {
  fc.assert(
    fc.property(anyOccasion, ([event, surroundings]) => {
      const { subject, text, html } = mailFor(event, surroundings)
      expect(subject.length).toBeLessThanOrEqual(150)
      expect(subject).not.toContain('\n')
      expect((subject + text + html).replaceAll('\n', '')).not.toMatch(
        /[\p{Cc}\p{Cs}\u2028\u202e]/u,
      )
      for (const tag of tagsIn(html)) {
        expect(tag).toMatch(
          /^<(?:!doctype html|\/?(?:html|head|title|body|div|p|blockquote|table|tr|td|span|a|meta)\b.*)>$/,
        )
        expect(tag).not.toMatch(/ on\w+=|<a (?!href="https?:)/)
      }
      expect(html.replace(/<(?:[^<>"]|"[^"]*")*>/g, '')).not.toMatch(
        /[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/,
      )
      expect(html.length).toBeLessThan(100_000)
    }),
  )
})

test.each([
  [250, 'delivered'],
  [252, 'delivered'],
  [354, 'retry'],
  [421, 'retry'],
  [535, 'retry'],
  [550, 'retry'],
] as const)('SMTP says %s: %s', (status, verdict) => {
  expect(email.judge({ status, text: '' })).toBe(verdict)
})
