import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LoggedEvent } from '../../src/core/event.ts'
import type { Surroundings } from '../../src/notify/format.ts'
import { mrkdwn } from '../../src/notify/mrkdwn.ts'
import { slack } from '../../src/notify/slack.ts'
import { aJob } from '../helpers/builders.ts'
import { anyOccasion, hostileText } from './any-event.ts'
import { inTime, jobEvent, occasionOf, shapes } from './occasions.ts'

interface Text {
  readonly type: 'plain_text' | 'mrkdwn'
  readonly text: string
  readonly verbatim?: boolean
}
interface Block {
  readonly type: 'header' | 'section' | 'context'
  readonly text?: Text
  readonly fields?: readonly Text[]
  readonly elements?: readonly Text[]
}
interface Payload {
  readonly text: string
  readonly blocks: readonly Block[]
  readonly attachments: readonly { readonly color: string; readonly blocks: readonly Block[] }[]
  readonly unfurl_links: boolean
}

function payloadOf(event: LoggedEvent, surroundings: Surroundings): Payload {
  const outbound = slack.request(event, surroundings)
  if (outbound.via !== 'http') throw new Error('Slack is told over HTTP')
  expect(outbound.signed).toBe(false)
  return JSON.parse(outbound.body) as Payload
}

function plainOf(event: LoggedEvent, surroundings: Surroundings): Record<string, unknown> {
  const outbound = slack.plain?.(event, surroundings)
  if (outbound?.via !== 'http') throw new Error('Slack is told over HTTP')
  return JSON.parse(outbound.body) as Record<string, unknown>
}

function blocksOf({ blocks, attachments }: Payload): Block[] {
  return [...blocks, ...attachments.flatMap((attachment) => attachment.blocks)]
}

function textsOf({ text, fields, elements }: Block): Text[] {
  return [...(text ? [text] : []), ...(fields ?? []), ...(elements ?? [])]
}

/** What is left of markup when everything that jobwatch writes itself is taken away. */
function foreignMarkup(text: string): string[] {
  const rest = text
    .replace(/<!date\^\d+\^\{date_short_pretty\} \{time\}\|[0-9: -]+UTC>/g, '')
    .replace(/<https?:\/\/[^<>|\s]+\|Job in (?:ArcGIS|jobwatch)>/g, '')
    .replace(/<https?:\/\/[^<>|\s]+\|Open jobwatch>/g, '')
    .replace(/^> /gm, '')
  return rest.match(/[<>]|&(?!(?:amp|lt|gt);)|^\s*&gt;|`/gm) ?? []
}

test.each(shapes)('%s', (_, [event, surroundings]) => {
  expect(payloadOf(event, surroundings)).toMatchSnapshot()
})

test('the line for notifications says what happened to which job, where, and why', () => {
  const [event, surroundings] = occasionOf('failed')
  const { text, blocks, attachments, unfurl_links } = payloadOf(event, surroundings)
  expect(text).toMatch(/^❌ FAILED: nightly backup \(prod\) – Not enough space/)
  expect(blocks[0]?.text?.text).toBe('❌ FAILED: nightly backup (prod)')
  expect(blocks[1]?.text?.text).toContain('\n> Not enough space')
  expect(attachments).toHaveLength(1)
  expect(attachments[0]?.color).toMatch(/^#[0-9a-f]{6}$/)
  expect(unfurl_links).toBe(false)
  expect(plainOf(event, surroundings)).toEqual({ text, unfurl_links: false, unfurl_media: false })
})

test('names from upstream can neither mention a channel nor make a link nor start a line', () => {
  const job = aJob({
    label: '<!channel> <http://evil|x> & a\n> quote',
    status: 'FAILED',
    outcome: 'error',
    reason: '<@U1>\n> next',
  })
  const change = { kind: 'status', from: 'EXECUTING', to: 'FAILED', rawTo: 'FAILED' } as const
  const { text, blocks } = payloadOf(jobEvent(job, { type: 'job.failed', change }), inTime)
  expect(text).toMatch(
    /^❌ FAILED: &lt;!channel&gt; &lt;http:\/\/evil\|x&gt; &amp; a &gt; quote \(prod\) – &lt;@U1&gt; &gt; next\. /,
  )
  expect(blocks[1]?.text?.text).toBe('It failed.\n> &lt;@U1&gt; &gt; next')
})

test.each([
  ['object_store 2*3', 'object_store 2*3'],
  ['*bold* _it_ ~no~', '∗bold∗ ˍitˍ ∼no∼'],
  ['`code`', 'ˋcodeˋ'],
  ['> a&b<c>', '› a&amp;b&lt;c&gt;'],
])('what formats in %s is shown as it is', (text, shown) => {
  expect(mrkdwn(text)).toBe(shown)
})

test('a text is cut where it shows, never within an entity', () => {
  expect(mrkdwn('&&&', 11)).toBe('&amp;&amp;…')
  expect(mrkdwn('&&&', 10)).toBe('&amp;…')
  fc.assert(
    fc.property(hostileText, fc.integer({ min: 1, max: 60 }), (text, room) => {
      const cut = mrkdwn(text, room)
      expect(cut.length).toBeLessThanOrEqual(room)
      expect(cut).not.toMatch(/[<>]|&(?!(?:amp|lt|gt);)/)
      if (text.length > room) expect(cut.endsWith('…')).toBe(true)
    }),
  )
})

test('whatever an event holds, Slack can take the message, and it holds no markup but ours', () => {
  fc.assert(
    fc.property(anyOccasion, ([event, surroundings]) => {
      const payload = payloadOf(event, surroundings)
      expect(payload.text.length).toBeLessThanOrEqual(3000)
      expect(foreignMarkup(payload.text)).toEqual([])
      expect(payload.text).not.toMatch(/[\r\n]/)
      const blocks = blocksOf(payload)
      expect(blocks.length).toBeLessThanOrEqual(50)
      for (const block of blocks) {
        expect(block.fields?.length ?? 1).toBeLessThanOrEqual(10)
        for (const text of textsOf(block)) expectFits(block, text, text === block.text)
      }
      expect(plainOf(event, surroundings)['text']).toBe(payload.text)
    }),
  )
})

function expectFits(block: Block, { type, text, verbatim }: Text, isMain: boolean): void {
  const room = block.type === 'header' ? 150 : isMain ? 3000 : 2000
  expect(text.length).toBeGreaterThan(0)
  expect(text.length).toBeLessThanOrEqual(room)
  expect(text).not.toMatch(/\p{Cs}/u)
  if (type === 'plain_text') return
  expect(verbatim).toBe(true)
  expect(foreignMarkup(text)).toEqual([])
}

describe('an answer', () => {
  test.each([
    [200, 'ok', 'delivered'],
    [204, '', 'delivered'],
    [200, '{"ok":true}', 'delivered'],
    [200, 'Message posted', 'delivered'],
    [200, 'invalid_payload', 'refused'],
    [400, 'invalid_blocks\n', 'refused'],
    [400, 'no_text', 'refused'],
    [400, 'too_many_attachments', 'refused'],
    [404, 'no_service', 'endpoint_dead'],
    [404, 'channel_not_found', 'endpoint_dead'],
    [403, 'action_prohibited', 'endpoint_dead'],
    [403, 'invalid_token', 'endpoint_dead'],
    [410, 'channel_is_archived', 'endpoint_dead'],
    [410, '', 'endpoint_dead'],
    [200, 'rollup_error', 'retry'],
    [500, 'rollup_error', 'retry'],
    [500, 'ok', 'retry'],
    [429, 'rate_limited', 'retry'],
    [404, '<html>not here</html>', 'retry'],
    [302, '', 'retry'],
  ] as const)('%s with %j: %s', (status, text, verdict) => {
    expect(slack.judge({ status, text })).toBe(verdict)
  })
})
