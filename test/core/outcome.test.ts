import { describe, expect, test } from 'vitest'
import type { JobStatus, Message, Outcome, Stage } from '../../src/core/job.ts'
import { outcomeOf, reasonOf } from '../../src/core/outcome.ts'
import { aStage } from '../helpers/builders.ts'

interface Ended {
  readonly status: JobStatus
  readonly messages: readonly Message[]
  readonly stages: readonly Stage[]
}

function ended(fields: Partial<Ended> = {}): Ended {
  return { status: 'COMPLETED', messages: [], stages: [], ...fields }
}

function says(...texts: string[]): readonly Message[] {
  return texts.map((text) => ({ text, level: null, at: null }))
}

describe('the outcome', () => {
  test.each<[JobStatus, Outcome | null]>([
    ['COMPLETED', 'success'],
    ['FAILED', 'error'],
    ['CANCELLED', 'cancelled'],
    ['SUBMITTED', null],
    ['EXECUTING', null],
    ['CANCELLING', null],
    ['UNAVAILABLE', null],
    ['OTHER', null],
  ])('of a job that is %s and says no more is %s', (status, outcome) => {
    expect(outcomeOf(ended({ status }), undefined)).toBe(outcome)
  })

  test.each<[unknown]>([
    [{ status: 'error', code: 500, messages: ['the service did not start'] }],
    [{ status: 'ERROR' }],
    [{ status: 'failed' }],
    [{ status: 'Failure' }],
    [{ operationResponse: { status: 'error', messages: [] } }],
    [{ status: 'success', operationResponse: { status: 'FAILED' } }],
    [{ success: false }],
    [{ success: 'false' }],
    [{ success: false, status: 'success' }],
  ])('of COMPLETED with the result %j is an error', (result) => {
    expect(outcomeOf(ended(), result)).toBe('error')
  })

  test.each<[unknown]>([
    [undefined],
    [null],
    [{}],
    [[]],
    ['error'],
    [{ status: 'success' }],
    [{ success: true }],
    [{ success: 'true' }],
    [{ status: 0, success: 0 }],
    [{ operationResponse: null }],
    [{ operationResponse: [] }],
    [{ service: { status: 'error' } }],
    [{ credentialUpdateOnly: false }],
  ])('of COMPLETED with the result %j is a success', (result) => {
    expect(outcomeOf(ended(), result)).toBe('success')
  })

  test.each<[unknown]>([
    [{ status: 'success with warnings' }],
    [{ status: 'completed_with_warnings' }],
    [{ status: 'SuccessWithWarnings' }],
    [{ state: 'Completed with warnings' }],
    [{ operationResponse: { status: 'Success with warnings' } }],
  ])('of COMPLETED with the result %j is a warning', (result) => {
    expect(outcomeOf(ended(), result)).toBe('warning')
  })

  test.each([
    ['a word for it', aStage('x', 'warning', { rawState: 'success with warnings' })],
    ['a word of its own', aStage('x', 'unknown', { rawState: 'Migrated with warnings' })],
  ])('of COMPLETED is a warning when a stage says "with warnings" in %s', (_, stage) => {
    const stages = [aStage('first', 'completed'), stage]
    expect(outcomeOf(ended({ stages }), { status: 'success' })).toBe('warning')
  })

  test('of COMPLETED is an error when the result says so, whatever its stages say', () => {
    const stages = [aStage('x', 'warning')]
    expect(outcomeOf(ended({ stages }), { status: 'error' })).toBe('error')
  })

  test('of CANCELLED is cancelled even when the result speaks of an error', () => {
    expect(outcomeOf(ended({ status: 'CANCELLED' }), { status: 'error' })).toBe('cancelled')
  })
})

describe('the reason', () => {
  const failed = ended({
    status: 'FAILED',
    messages: says('Waiting for pods.', 'Pods did not become ready.'),
    stages: [aStage('validating', 'completed'), aStage('object_store', 'failed')],
  })

  test.each<[string, unknown, string]>([
    ['a text', 'Out of disk.', 'Out of disk.'],
    ['the first message', { messages: ['No licence.', 'And more.'] }, 'No licence.'],
    ['a message', { message: 'No licence.' }, 'No licence.'],
    ['an error', { error: { code: 500, message: 'No licence.', details: [] } }, 'No licence.'],
    ['an error in words', { error: 'No licence.' }, 'No licence.'],
    [
      "the operation's answer",
      { operationResponse: { status: 'error', messages: ['the service did not start'] } },
      'the service did not start',
    ],
    ['messages that are objects', { messages: [{ message: 'No licence.' }] }, 'No licence.'],
    ['messages the first of which is blank', { messages: ['', ' \n', 'Why.'] }, 'Why.'],
  ])('is taken from the result: %s', (_, result, reason) => {
    expect(reasonOf(failed, result)).toBe(reason)
  })

  test.each<[unknown]>([
    [undefined],
    [null],
    [{}],
    [[]],
    [7],
    [''],
    [' \n'],
    [{ status: 'error', code: 500 }],
    [{ messages: [] }],
  ])('is taken from the messages when the result is %j', (result) => {
    expect(['Waiting for pods.', 'Pods did not become ready.']).toContain(reasonOf(failed, result))
  })

  test('is the message that is an error when messages tell their level', () => {
    const messages: Message[] = [
      { text: 'Starting.', level: 'INFO', at: null },
      { text: 'No licence.', level: 'ERROR', at: null },
      { text: 'Cleaning up.', level: 'INFO', at: null },
    ]
    expect(reasonOf(ended({ status: 'FAILED', messages }), undefined)).toBe('No licence.')
  })

  test('names the failed stage when nothing else speaks', () => {
    expect(reasonOf({ ...failed, messages: [] }, undefined)).toContain('object_store')
  })

  test('is null when nothing says why', () => {
    expect(reasonOf(ended({ status: 'FAILED' }), undefined)).toBeNull()
  })

  test('is one line of bounded length', () => {
    const result = { messages: [`\r\n  ${'x'.repeat(100_000)}\nsecond line`] }
    const reason = reasonOf(failed, result)
    expect(reason).toMatch(/^x+$/)
    expect(reason?.length).toBeLessThanOrEqual(4096)
    expect(reasonOf(failed, { message: ' first line \r\nsecond line' })).toBe('first line')
  })

  test('is found without harm in a result of any depth', () => {
    let result: unknown = 'deep'
    for (let depth = 0; depth < 10_000; depth += 1) result = { error: [result] }
    expect(reasonOf({ ...failed, messages: [] }, result)).toContain('object_store')
  })
})
