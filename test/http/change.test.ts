import { describe, expect, test } from 'vitest'
import { startApp } from '../helpers/app.ts'
import { jobOf, wrongFieldsOf } from './answers.ts'

describe('PATCH of a job', () => {
  test('changes what is given, leaves what is not, and null clears', async () => {
    await using app = await startApp()
    const patch = (body: unknown) => app.call('/v1/jobs/j1', { method: 'PATCH', body })
    await app.post('/v1/jobs', { jobid: 'j1', label: 'one', tags: ['a'], stallAfter: '10m' })
    expect(jobOf(await patch({ label: 'two' }))).toMatchObject({
      label: 'two',
      title: 'two',
      tags: ['a'],
      stallAfter: '10m',
    })
    expect(
      jobOf(await patch({ deadline: '2030-01-01T00:00:00Z', stallAfter: '90m' })),
    ).toMatchObject({
      deadline: '2030-01-01T00:00:00.000Z',
      stallAfter: '90m',
    })
    const cleared = { label: null, tags: null, stallAfter: null, deadline: null }
    const gone = { label: null, tags: [], stallAfter: null, deadline: null }
    expect(jobOf(await patch(cleared))).toMatchObject(gone)
    expect(jobOf(await app.call('/v1/jobs/j1'))).toMatchObject(gone)
  })

  test('makes no event', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'j1' })
    await app.call('/v1/jobs/j1', { method: 'PATCH', body: { label: 'mine' } })
    const { json } = await app.call('/v1/events')
    expect((json as { items: { type: string }[] }).items.map(({ type }) => type)).toEqual([
      'job.watched',
    ])
  })

  test.each([
    { body: { jobid: 'j2' }, field: 'jobid' },
    { body: { label: 5 }, field: 'label' },
    { body: { stallAfter: 'soon' }, field: 'stallAfter' },
    { body: [], field: '(body)' },
  ])('that is wrong names the field and changes nothing: $body', async ({ body, field }) => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'j1', label: 'one' })
    const answer = await app.call('/v1/jobs/j1', { method: 'PATCH', body })
    expect(answer.status).toBe(400)
    expect(wrongFieldsOf(answer)).toEqual([field])
    expect(jobOf(await app.call('/v1/jobs/j1')).label).toBe('one')
  })

  test('of a job that is not registered is 404', async () => {
    await using app = await startApp()
    const answer = await app.call('/v1/jobs/j1', { method: 'PATCH', body: { label: 'x' } })
    expect(answer.status).toBe(404)
  })
})

interface Results {
  readonly results: readonly {
    readonly status: number
    readonly job?: { readonly jobid: string; readonly label: string | null }
    readonly problem?: { readonly code: string; readonly errors: readonly { field: string }[] }
  }[]
}

describe('a batch of registrations', () => {
  test('is answered in order, and all that are valid are registered', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'known' })
    const jobs = [
      { jobid: 'new', label: 'mine' },
      { jobid: '../etc' },
      { jobid: 'known' },
      { jobsUrl: `${app.simulator.root}/jobs/by-url`, jobid: 'ignored', status: 'SUBMITTED' },
      { jobid: 'x', surprise: 1 },
      'no job at all',
      { jobid: 'new' },
    ]
    const answer = await app.post('/v1/jobs/batch', { jobs })
    expect(answer.status).toBe(200)
    const { results } = answer.json as Results
    expect(results.map(({ status }) => status)).toEqual([201, 400, 200, 201, 400, 400, 200])
    expect(results[0]?.job).toMatchObject({ jobid: 'new', label: 'mine' })
    expect(results[1]?.problem).toMatchObject({
      code: 'invalid_input',
      errors: [{ field: 'jobid' }],
    })
    expect(results[4]?.problem).toMatchObject({ errors: [{ field: 'surprise' }] })
    const { json } = await app.call('/v1/jobs')
    const registered = (json as { items: { jobid: string }[] }).items.map(({ jobid }) => jobid)
    expect(registered.sort()).toEqual(['by-url', 'known', 'new'])
  })

  test('may hold a thousand, each an event of its own', async () => {
    await using app = await startApp()
    const jobs = Array.from({ length: 1000 }, (_, n) => ({
      jobid: `j${n}`,
      label: 'x'.repeat(200),
    }))
    const answer = await app.post('/v1/jobs/batch', { jobs })
    const { results } = answer.json as Results
    expect(results.map(({ status }) => status)).toEqual(jobs.map(() => 201))
    expect(results.map(({ job }) => job?.jobid)).toEqual(jobs.map(({ jobid }) => jobid))
    const page = await app.call('/v1/events?type=job.watched&limit=1000')
    expect((page.json as { items: unknown[] }).items).toHaveLength(1000)
  })

  test.each([
    { body: { jobs: [] }, field: 'jobs' },
    { body: { jobs: Array.from({ length: 1001 }, (_, n) => ({ jobid: `j${n}` })) }, field: 'jobs' },
    { body: { jobs: {} }, field: 'jobs' },
    { body: { jobs: [], more: 1 }, field: 'more' },
  ])('of another form is refused as a whole', async ({ body, field }) => {
    await using app = await startApp()
    const answer = await app.post('/v1/jobs/batch', body)
    expect(answer.status).toBe(400)
    expect(wrongFieldsOf(answer)).toContain(field)
  })

  test('may have 8 MiB', async () => {
    await using app = await startApp()
    const padded = (bytes: number) => `{"jobs":[{"jobid":"j1"}]${' '.repeat(bytes - 25)}}`
    const send = (body: string) =>
      app.call('/v1/jobs/batch', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
    expect((await send(padded(8_388_608))).status).toBe(200)
    expect((await send(padded(8_388_609))).status).toBe(413)
  })
})
