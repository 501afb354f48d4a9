import { expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import type { UpstreamList } from '../../src/http/schemas.ts'
import { anUpstream } from '../helpers/app.ts'
import { simulatorFor } from '../helpers/simulator.ts'
import { aJob, pageGround } from './ground.ts'

function card(page: Page, name: string) {
  return page
    .getByRole('main')
    .getByRole('listitem')
    .filter({ has: page.getByRole('heading', { name }) })
}

function fact(page: Page, upstream: string, name: string) {
  return card(page, upstream)
    .locator('.facts > div')
    .filter({ has: page.locator('dt').getByText(name, { exact: true }) })
    .locator('dd')
}

test('shows of each upstream how it is, why, how often it is asked, and until when its token is good', async () => {
  const [north, west] = [await simulatorFor({ tokenMinutes: 60 }), await simulatorFor()]
  await using at = await pageGround({
    config: {
      upstreams: [
        { ...anUpstream('north', north), downAfter: '20ms' },
        { ...anUpstream('west', west), auth: { username: 'siteadmin', password: 'wrong' } },
      ],
    },
  })
  north.addScript([aJob('j1')], { jobid: 'j1' })
  await at.call('/v1/jobs', 'POST', { jobid: 'j1', upstream: 'north' })
  await at.untilEvent('job.executing', 'j1')
  const page = await at.open('#/upstreams')
  await card(page, 'north').getByText('up', { exact: true }).waitFor()
  expect(
    await card(page, 'north').getByRole('link', { name: north.root }).getAttribute('rel'),
  ).toBe('noreferrer')
  expect(await fact(page, 'north', 'Token good until').textContent()).toMatch(/\d{1,2}:\d\d/)
  expect(await fact(page, 'north', 'Last success').textContent()).toMatch(/\d{1,2}:\d\d/)
  expect(Number(await fact(page, 'north', 'Requests per second').textContent())).toBeGreaterThan(0)
  expect(await fact(page, 'west', 'Token good until').textContent()).toBe('not known')

  north.inject({ kind: 'answer', httpStatus: 502, body: 'bad gateway' }, { target: 'job' })
  await at.call('/v1/jobs', 'POST', { jobid: 'j2', upstream: 'west' })
  await card(page, 'north').getByText('down', { exact: true }).waitFor()
  await card(page, 'west').getByText('denied', { exact: true }).waitFor()
  const { items } = (await at.call('/v1/upstreams')).json as UpstreamList
  for (const { name, lastError } of items) {
    expect(lastError, name).toBeTruthy()
    await card(page, name)
      .getByText(lastError ?? '')
      .waitFor()
  }
  north.clearFaults()
  await card(page, 'north').getByText('up', { exact: true }).waitFor()

  await fact(page, 'north', 'Jobs that run').getByRole('link').click()
  expect(new URL(page.url()).hash).toBe('#/?state=active&upstream=north')
  const rows = page.getByRole('list', { name: 'Jobs' }).getByRole('listitem')
  await rows.filter({ hasText: 'job j1' }).waitFor()
  expect(await rows.count()).toBe(1)
})
