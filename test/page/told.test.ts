import { describe, expect, test } from 'vitest'
import { newsOf, toldOf } from '../../src/web/told.ts'
import { aDelivery, aJobAnswer, anEvent } from './answers.ts'

describe('what people are told of a job', () => {
  const event = (type: string, seq: number) => anEvent(aJobAnswer({ lastSeq: seq }), { type })

  test('is nothing while nothing of note has happened', () => {
    expect(newsOf([])).toBeNull()
    expect(newsOf([event('job.watched', 1), event('job.stage.changed', 2)])).toBeNull()
  })

  test.each([
    'job.completed',
    'job.failed',
    'job.cancelled',
    'job.lost',
    'job.overdue',
    'job.stalled',
  ])('is that it came to %s', (type) => {
    const news = event(type, 2)
    expect(newsOf([event('job.watched', 1), news, event('job.message.added', 3)])).toBe(news)
  })

  test('is the last of what happened', () => {
    expect(newsOf([event('job.stalled', 1), event('job.failed', 2)])?.type).toBe('job.failed')
  })
})

describe('who was told', () => {
  test('is each endpoint that was sent this event, by name', () => {
    const deliveries = [
      aDelivery({ id: 3, endpoint: 'wall' }),
      aDelivery({ id: 2, endpoint: 'mail', state: 'pending' }),
      aDelivery({ id: 1, endpoint: 'mail', seq: 6 }),
    ]
    const told = toldOf(deliveries, 7)
    expect(told.map(({ endpoint, delivery }) => [endpoint, delivery.id])).toEqual([
      ['mail', 2],
      ['wall', 3],
    ])
  })

  test('is nobody where no endpoint asked for it', () => {
    expect(toldOf([aDelivery({ seq: 6 })], 7)).toEqual([])
  })

  // Lists of deliveries begin with the latest.
  test.each([
    ['the latest try counts', ['pending', 'failed'], 2],
    ['what was delivered before a replay has told it', ['failed', 'delivered'], 1],
    ['what a replay delivered has told it', ['delivered', 'failed'], 2],
  ] as const)('%s', (_, [latest, first], id) => {
    const deliveries = [aDelivery({ id: 2, state: latest }), aDelivery({ id: 1, state: first })]
    expect(toldOf(deliveries, 7).map(({ delivery }) => delivery.id)).toEqual([id])
    expect(toldOf(deliveries.toReversed(), 7).map(({ delivery }) => delivery.id)).toEqual([id])
  })
})
