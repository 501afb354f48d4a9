import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LoggedEvent } from '../../src/core/event.ts'
import type { Outbound, Surroundings } from '../../src/notify/format.ts'
import { teams } from '../../src/notify/teams.ts'
import { aJob, aStage, noon } from '../helpers/builders.ts'
import { anyOccasion } from './any-event.ts'
import { inTime, jobEvent, occasionOf, shapes } from './occasions.ts'

interface Element {
  readonly type: string
  readonly text?: string
  readonly url?: string
  readonly [key: string]: unknown
}
interface Card extends Element {
  readonly body: readonly Element[]
  readonly actions?: readonly Element[]
}

function bodyOf(outbound: Outbound | undefined): string {
  if (outbound?.via !== 'http') throw new Error('Teams is told over HTTP')
  expect(outbound.signed).toBe(false)
  return outbound.body
}

function cardIn(body: string): Card {
  const { type, attachments } = JSON.parse(body) as {
    type: string
    attachments: { contentType: string; contentUrl: null; content: Card }[]
  }
  const [attachment] = attachments
  if (attachment === undefined) throw new Error('no card')
  expect({ ...attachment, type, content: null }).toEqual({
    ...{ type: 'message', contentUrl: null, content: null },
    contentType: 'application/vnd.microsoft.card.adaptive',
  })
  return attachment.content
}

function cardFor(event: LoggedEvent, surroundings: Surroundings): Card {
  return cardIn(bodyOf(teams.request(event, surroundings)))
}

function elementsIn(value: unknown): Element[] {
  if (typeof value !== 'object' || value === null) return []
  const inner = Object.values(value).flatMap(elementsIn)
  return 'type' in value ? [value as Element, ...inner] : inner
}

function textOf(card: Card): string {
  const runs = (block: Element) => elementsIn(block['inlines']).map(({ text }) => text)
  const blocks = elementsIn(card.body).filter(({ type }) => type === 'RichTextBlock')
  return blocks.map((block) => runs(block).join('')).join('\n')
}

/** What a card says of a moment in its own words. */
const ourMoment = /^\{\{DATE\([0-9T:-]+Z, SHORT\)\}\} \{\{TIME\([0-9T:-]+Z\)\}\}$/

test.each(shapes)('%s', (_, [event, surroundings]) => {
  expect(cardFor(event, surroundings)).toMatchSnapshot()
})

test('a card says first what happened to which job, in emoji, word and colour, and links to it', () => {
  const [event, surroundings] = occasionOf('failed')
  const card = cardFor(event, surroundings)
  expect(card).toMatchObject({
    type: 'AdaptiveCard',
    version: '1.4',
    msteams: { width: 'full' },
    fallbackText: expect.stringMatching(/^❌ FAILED: nightly backup \(prod\) – Not/) as string,
  })
  expect(card.body[0]).toMatchObject({ type: 'Container', style: 'attention' })
  expect(textOf(card)).toMatch(
    /^❌ FAILED\nnightly backup \(prod\)\nIt failed in the stage relational after/,
  )
  expect(card.actions).toMatchObject([
    { type: 'Action.OpenUrl', title: 'Job in ArcGIS' },
    { type: 'Action.OpenUrl', title: 'Job in jobwatch' },
  ])
  const plain = cardIn(bodyOf(teams.plain?.(event, surroundings)))
  expect(textOf(plain)).toMatch(/^❌ FAILED: nightly backup \(prod\) – Not enough space/)
})

test('moments are shown in the time zone of the reader, without fractions of a second', () => {
  const [event, surroundings] = occasionOf('failed')
  expect(textOf(cardFor(event, surroundings))).toContain(
    'Started\n{{DATE(2026-01-05T11:47:30Z, SHORT)}} {{TIME(2026-01-05T11:47:30Z)}}',
  )
})

test('what is too long for Teams is left out, and that shows', () => {
  const long = '京'.repeat(4000)
  const stages = Array.from({ length: 30 }, (_, n) =>
    aStage(`${n}${long}`, 'unknown', { rawState: long }),
  )
  const texts = { label: long, username: long, name: long, reason: long }
  const job = aJob({ ...texts, status: 'OTHER', rawStatus: long, stages })
  const stage = { kind: 'stage', stage: long, occurrence: 1, from: null, to: 'unknown' } as const
  const leftOut = jobEvent(job, { type: 'job.stage.changed', change: { ...stage, rawTo: long } })
  const added = Array.from({ length: 20 }, () => ({ text: long, level: null, at: null }))
  const change = { kind: 'messages', added, count: 90 } as const
  const event = jobEvent(job, { type: 'job.message.added', change })
  const late = { now: noon, job: null, leftOut: Array.from({ length: 9 }, () => leftOut) }
  const root = `https://gis.example.com/${'x'.repeat(6000)}`
  const around = { ...inTime, rootOf: () => root, late: { ...late, leftOutCount: 90 } }
  const body = bodyOf(teams.request(event, around))
  expect(Buffer.byteLength(body)).toBeLessThan(28_000)
  const text = textOf(cardIn(body))
  expect(text).toMatch(/^💬 90 new messages\n京+… \(prod\)\n/)
  expect(text).toContain('… and 20 more')
  expect(text).toMatch(/\n… The rest is too long for Teams\.$/)
})

test('whatever an event holds, Teams can take the card, and nothing in it is read as Markdown', () => {
  fc.assert(
    fc.property(anyOccasion, ([event, surroundings]) => {
      for (const outbound of [
        teams.request(event, surroundings),
        teams.plain?.(event, surroundings),
      ]) {
        const body = bodyOf(outbound)
        expect(Buffer.byteLength(body)).toBeLessThan(28_000)
        const card = cardIn(body)
        expect(card['fallbackText']).not.toContain('{{')
        for (const { type, text, url } of elementsIn(card)) {
          expect(type).not.toMatch(/^(TextBlock|FactSet|Image|Input.*)$/)
          if (text?.includes('{{')) expect(text).toMatch(ourMoment)
          expect(text ?? '').not.toMatch(/[\r\n]|\p{Cs}/u)
          expect(url ?? 'http:').toMatch(/^https?:/)
        }
      }
    }),
  )
})

describe('an answer', () => {
  test.each([
    [202, '', 'delivered'],
    [200, '1', 'delivered'],
    [
      200,
      'Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=0',
      'retry',
    ],
    [429, '', 'retry'],
    [400, '{"error":{"code":"TriggerInputSchemaMismatch"}}', 'retry'],
    [404, '{"error":{"code":"WorkflowNotFound"}}', 'retry'],
    [410, '', 'endpoint_dead'],
    [502, '', 'retry'],
  ] as const)('%s with %j: %s', (status, text, verdict) => {
    expect(teams.judge({ status, text })).toBe(verdict)
  })
})
