import { describe, expect, test } from 'vitest'
import { attemptLines, deliveryDetail, deliveryTable } from '../../src/cli/delivery-view.ts'
import { changesFrom } from '../../src/cli/endpoint-options.ts'
import { endpointDetail, endpointTable } from '../../src/cli/endpoint-view.ts'
import { aDelivery, anAttempt, anEndpoint } from '../client/answers.ts'

const plain = { emoji: false, colour: false }
const terminal = { emoji: true, colour: false }
const hostile = 'a\x1b[2Jb\u009b31mc\u202Ed'

test('what endpoints and deliveries hold cannot do anything to a terminal', () => {
  const endpoint = anEndpoint({
    ...{ name: hostile, url: hostile, reason: hostile, since: hostile, events: [hostile] },
    ...{ match: { upstream: [hostile], tag: [hostile], jobid: [hostile] } },
  })
  const delivery = aDelivery({ endpoint: hostile, type: hostile, jobid: hostile })
  const attempts = [anAttempt({ at: hostile, answer: hostile })]
  const shown = [
    endpointTable([endpoint], plain) + endpointDetail(endpoint, plain),
    deliveryTable([delivery], plain) + deliveryDetail({ ...delivery, attempts }, plain),
  ].join('')
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  expect(shown).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/)
})

describe('an endpoint', () => {
  test.each([
    ['active', '✅ active'],
    ['failing', '⚠️ failing'],
    ['disabled', '🚫 disabled'],
  ] as const)('that is %s is shown as %s', (state, shown) => {
    expect(endpointTable([anEndpoint({ state })], terminal)).toContain(shown)
    expect(endpointTable([anEndpoint({ state })], plain)).toContain(`  ${state}  `)
  })

  test('that is failing is shown with why and until when', () => {
    const detail = endpointDetail(
      anEndpoint({
        state: 'failing',
        reason: 'answered 500',
        disablesAt: '2026-11-28T14:00:00.000Z',
        lastDeliveredAt: null,
        pending: 12,
      }),
      plain,
    )
    expect(detail).toContain('reason      answered 500\n')
    expect(detail).toContain('disabled at 2026-11-28 14:00:00Z unless one succeeds\n')
    expect(detail).toContain('pending     12\n')
    expect(detail).toContain('delivered   never\n')
  })
})

describe('a delivery', () => {
  test.each([
    ['pending', '⏳ pending'],
    ['delivered', '✅ delivered'],
    ['failed', '❌ failed'],
    ['superseded', '➖ superseded'],
    ['cancelled', '🚫 cancelled'],
  ] as const)('that is %s is shown as %s', (state, shown) => {
    expect(deliveryTable([aDelivery({ state })], terminal)).toContain(shown)
  })

  test.each([
    [{ state: 'pending', nextAttemptAt: '2026-11-23T14:02:00.000Z' }, 'next 2026-11-23 14:02:00Z'],
    [{ state: 'pending', nextAttemptAt: null }, 'waits for an earlier one'],
    [{ state: 'delivered' }, '2026-11-23 14:00:06Z'],
    [{ state: 'failed', deliveredAt: null }, '-'],
  ] as const)('%j says "%s"', (fields, when) => {
    const [, row = ''] = deliveryTable([aDelivery(fields)], plain).split('\n')
    expect(row.split(/ {2,}/).at(-1)).toBe(when)
  })
})

describe('an attempt', () => {
  test.each([
    [{ status: 204 }, 'taken: answered 204'],
    [{ status: 500, error: 'status' }, 'not taken: answered 500'],
    [{ status: 302, error: 'redirect' }, 'not taken: answered 302, and redirects are not followed'],
    [{ status: null, error: 'timeout' }, 'no answer in time'],
    [{ status: null, error: 'dns' }, 'its name does not resolve'],
    [{ status: null, error: 'connect' }, 'nobody takes connections there'],
    [{ status: null, error: 'tls' }, /^no secure connection/],
    [{ status: null, error: 'reset' }, /^the connection broke off/],
    [{ status: null, error: 'refused_address' }, /^its address is not allowed: .*delivery\.allow/],
    [{ status: null, error: null }, 'not sent: it could not be put into words'],
  ] as const)('%j says "%s"', (fields, words) => {
    const [line = ''] = attemptLines(anAttempt({ answer: null, ...fields }), plain).split('\n')
    expect(line.replace(/ after 120 ms$/, '')).toMatch(words)
  })

  test('that took long says so in seconds', () => {
    expect(attemptLines(anAttempt({ durationMs: 15_020 }), plain)).toContain('after 15s\n')
  })

  test('with a long answer shows its first lines, cut where they are too long', () => {
    const answer = ['x'.repeat(500), '', 'two', 'three', 'four', 'five', 'six'].join('\r\n')
    const lines = attemptLines(anAttempt({ answer }), plain).split('\n')
    expect(lines.slice(2)).toEqual([...['two', 'three', 'four', 'five', '…'].map(indented), ''])
    expect(lines[1]).toMatch(/^ {6}x{119}…$/)
  })
})

function indented(line: string): string {
  return `      ${line}`
}

describe('options about mail', () => {
  test('become its settings', () => {
    const mail = {
      ...{ host: 'smtp.example.com', port: 465, user: 'gis', password: 's3cret' },
      ...{ from: 'jobwatch@example.com', to: ['a@example.com', 'b@example.com'] },
    }
    expect(changesFrom({ ...mail, events: ['job.failed'] })).toEqual({
      events: ['job.failed'],
      settings: mail,
    })
  })
})
