import { expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import type { EndpointList, UpstreamList } from '../../src/http/schemas.ts'
import { anUpstream } from '../helpers/app.ts'
import { simulatorFor } from '../helpers/simulator.ts'
import { until } from '../e2e/ground.ts'
import { aCompletedJob, aFailedJob, aJob, pageGround } from './ground.ts'

const dayMs = 24 * 3_600_000

function attention(page: Page) {
  return page.getByRole('region', { name: 'Needs a look' })
}

test('shows what failed within a day with its reason, and that the endpoint was told', async () => {
  await using at = await pageGround()
  const longAgo = { starttime: Date.now() - dayMs - 90_000, endtime: Date.now() - dayMs - 60_000 }
  await at.watch('old', [aFailedJob('old', longAgo)])
  await at.watch('good', [aCompletedJob('good')])
  const page = await at.open()
  await page.getByRole('link', { name: 'job old' }).waitFor()
  await at.watch('bad', [aFailedJob('bad')])
  const item = attention(page).getByRole('listitem')
  await item.getByText(/^✅ on-call told /).waitFor()
  expect(await item.count()).toBe(1)
  await item.getByText('FAILED', { exact: true }).waitFor()
  await item.getByText('The disk is full.').waitFor()

  // It stands there for whoever opens the page later.
  await page.reload()
  await item.getByText(/^✅ on-call told /).waitFor()
  await item.getByRole('link', { name: 'job bad' }).click()
  await page.getByRole('heading', { name: 'job bad' }).waitFor()
})

test('says that a failure has not reached anybody yet, how often that was tried, and when it has', async () => {
  await using at = await pageGround({
    config: { delivery: { retry: ['20ms', '20ms', '1h'], allow: ['127.0.0.0/8'] } },
  })
  at.receiver.will(500)
  const page = await at.open()
  await at.watch('bad', [aFailedJob('bad')])
  const item = attention(page).getByRole('listitem').filter({ hasText: 'job bad' })
  await item.getByText(/on-call not told yet: 3 attempts failed, next try/).waitFor()
  at.receiver.will(204)
  await item.getByRole('link', { name: 'job bad' }).click()
  await page.locator('summary', { hasText: 'on-call' }).click()
  await page.getByRole('button', { name: 'Send now' }).click()
  await page.getByText(/^✅ on-call told/).waitFor()
  await page.goBack()
  await item.getByText(/on-call told/).waitFor()
})

test('says that nobody was told, and that all attempts have failed', async () => {
  await using at = await pageGround({
    config: { delivery: { retry: ['20ms'], allow: ['127.0.0.0/8'] } },
  })
  at.receiver.will(500)
  await at.watch('bad', [aFailedJob('bad')])
  const page = await at.open()
  await attention(page).getByText('on-call not told: 2 attempts failed').waitFor()
  await at.call('/v1/endpoints/on-call/disable', 'POST')
  await at.watch('worse', [aFailedJob('worse')])
  await attention(page)
    .getByRole('listitem')
    .filter({ hasText: 'job worse' })
    .getByText('Nobody was told')
    .waitFor()
})

test('leaves out a job that runs again after its failure, and one that nobody watches any more', async () => {
  await using at = await pageGround()
  const again = await at.watch('again', [aFailedJob('again'), aJob('again')])
  await at.untilEvent('job.failed', 'again')
  const page = await at.open()
  const items = attention(page).getByRole('listitem')
  await items.filter({ hasText: 'job again' }).waitFor()
  again.next()
  await at.call('/v1/jobs/again/poll', 'POST')
  await at.untilEvent('job.reopened', 'again')
  await attention(page).waitFor({ state: 'detached' })
  await page.reload()
  await page.getByText('1 running', { exact: true }).waitFor()

  await at.watch('dropped', [aFailedJob('dropped')])
  await items.filter({ hasText: 'job dropped' }).waitFor()
  await at.call('/v1/jobs/dropped', 'DELETE')
  await attention(page).waitFor({ state: 'detached' })
  await page.reload()
  await page.getByRole('link', { name: 'job dropped' }).waitFor()
  expect(await attention(page).count()).toBe(0)
})

test('shows a job that was lost as such', async () => {
  const simulator = await simulatorFor()
  const upstream = { ...anUpstream('prod', simulator), lostAfter: '50ms' }
  await using at = await pageGround({ config: { upstreams: [upstream] } })
  simulator.addScript([aJob('gone')], { jobid: 'gone' })
  await at.call('/v1/jobs', 'POST', { jobid: 'gone' })
  await at.untilEvent('job.executing', 'gone')
  const page = await at.open()
  await page.getByRole('link', { name: 'job gone' }).waitFor()
  simulator.removeJob('gone')
  const item = attention(page).getByRole('listitem').filter({ hasText: 'job gone' })
  await item.getByText('lost', { exact: true }).waitFor()
  await item.getByText('the upstream no longer knows it').waitFor()
  await item.getByText('on-call told').waitFor()
})

test('shows upstreams that are down or refuse, and endpoints that fail or are disabled, with why', async () => {
  const [down, denied] = [await simulatorFor(), await simulatorFor()]
  await using at = await pageGround({
    config: {
      upstreams: [
        { ...anUpstream('east', down), downAfter: '20ms' },
        { ...anUpstream('west', denied), auth: { username: 'siteadmin', password: 'wrong' } },
      ],
      endpoints: [],
      delivery: { retry: Array<string>(20).fill('20ms'), allow: ['127.0.0.0/8'] },
    },
  })
  at.receiver.will(503)
  for (const [name, events] of [
    ['flaky', ['job.*']],
    ['off', ['job.failed']],
  ]) {
    await at.call('/v1/endpoints', 'POST', { name, url: at.receiver.url, events })
  }
  const page = await at.open()
  await page.getByText('No job is registered yet').waitFor()
  down.addScript([aJob('j1')], { jobid: 'j1' })
  await at.call('/v1/jobs', 'POST', { jobid: 'j1', upstream: 'east' })
  await at.untilEvent('job.executing', 'j1')
  down.inject({ kind: 'answer', httpStatus: 502, body: 'bad gateway' }, { target: 'job' })
  await at.call('/v1/jobs', 'POST', { jobid: 'j2', upstream: 'west' })
  await at.call('/v1/endpoints/off/disable', 'POST')

  const { items: upstreams } = await eventually<UpstreamList>(at, '/v1/upstreams', ({ items }) =>
    items.every(({ state }) => state !== 'up'),
  )
  const { items: endpoints } = await eventually<EndpointList>(at, '/v1/endpoints', ({ items }) =>
    items.every(({ state }) => state !== 'active'),
  )
  expect(upstreams.map(({ state }) => state)).toEqual(['down', 'denied'])
  expect(endpoints.map(({ state }) => state)).toEqual(['failing', 'disabled'])

  const items = attention(page).getByRole('listitem')
  for (const { name, state, lastError } of upstreams) {
    const item = items.filter({ hasText: `Upstream ${name}` })
    await item.getByText(state, { exact: true }).waitFor()
    expect(lastError).toBeTruthy()
    await item.getByText(lastError ?? '').waitFor()
  }
  for (const { name, state, reason } of endpoints) {
    const item = items.filter({ hasText: `Endpoint ${name}` })
    await item.getByText(state, { exact: true }).waitFor()
    expect(reason).toBeTruthy()
    await item.getByText(reason ?? '').waitFor()
  }
  const views = page.getByRole('navigation')
  await views.getByRole('link', { name: 'Upstreams 2 not well' }).click()
  for (const { lastError } of upstreams) await page.getByText(lastError ?? '').waitFor()
  await views.getByRole('link', { name: 'Endpoints 2 not well' }).waitFor()

  down.clearFaults()
  await page.getByRole('link', { name: 'Jobs', exact: true }).click()
  await items.filter({ hasText: 'Upstream east' }).waitFor({ state: 'detached' })
  await items.filter({ hasText: 'Upstream west' }).waitFor()
})

/** The answer once it is so. */
async function eventually<T>(
  at: { call: (path: string) => Promise<{ json: unknown }> },
  path: string,
  isSo: (answer: T) => boolean,
): Promise<T> {
  let answer: T | undefined
  await until(async () => {
    answer = (await at.call(path)).json as T
    return isSo(answer)
  })
  return answer as T
}
