import { expect } from 'vitest'
import type { Page } from 'playwright-core'
import { until } from '../e2e/ground.ts'
import { aCompletedJob, aFailedJob, aJob } from './ground.ts'
import type { PageGround } from './ground.ts'

/** Settings under which a delivery that failed stays so until somebody asks. */
export const patientDelivery = { delivery: { retry: ['1h'], allow: ['127.0.0.0/8'] } }

/** Has something of everything that the views show: what runs, what ended well and badly, deliveries. */
export async function fill(at: PageGround): Promise<void> {
  at.receiver.will({ status: 500, body: 'The queue of the receiver is full.' })
  await at.call('/v1/endpoints', 'POST', { name: 'off', url: `${at.receiver.origin}/off` })
  await at.call('/v1/endpoints/off/disable', 'POST')
  await at.watch('run', [aJob('run')], { tags: ['nightly'], deadline: '2h', stallAfter: '1h' })
  await at.watch('done', [aCompletedJob('done')], { label: 'The nightly backup' })
  await at.watch('bad', [aFailedJob('bad', { resource: 'Hydrants (id: 7)' })])
  await until(async () => {
    const { json } = await at.call('/v1/deliveries?jobid=bad')
    const { items } = json as { items: { attemptCount: number }[] }
    return items.length === 1 && items.every(({ attemptCount }) => attemptCount > 0)
  })
}

/** Each view of a filled ground: its address, and what stands there once all of it is there. */
export const filledViews = [
  { name: 'jobs', hash: '#/', ready: (page: Page) => page.getByText('3 jobs, no more') },
  { name: 'a running job', hash: '#/jobs/prod/run', ready: whatHappened },
  { name: 'a failed job', hash: '#/jobs/prod/bad', ready: whatHappened },
  {
    name: 'endpoints',
    hash: '#/endpoints',
    ready: (page: Page) =>
      page.getByText('Nothing is sent').or(page.getByText('webhook to')).last(),
  },
  {
    name: 'upstreams',
    hash: '#/upstreams',
    ready: (page: Page) => page.getByText('Token good until'),
  },
] as const

function whatHappened(page: Page) {
  return page.getByRole('heading', { name: 'What happened' })
}

/** Opens a view, and what is folded on it. */
export async function openView(
  at: PageGround,
  page: Page,
  { hash, ready }: (typeof filledViews)[number],
): Promise<void> {
  await page.goto(`${at.url}/${hash}`)
  await ready(page).waitFor()
  if (hash.endsWith('/bad')) {
    await page.locator('summary').click()
    await page.getByText('The queue of the receiver is full.').waitFor()
  }
  await page.getByText('Live', { exact: true }).waitFor()
}

/** Checks that nothing of the document lies beside the window, or is cut off at its edge. */
export async function expectNoSidewaysScroll(page: Page, where: string): Promise<void> {
  const beside = await page.evaluate<string[]>(`(() => {
    const isOut = (element) => {
      const { right, width } = element.getBoundingClientRect()
      return width > 1 && right > document.documentElement.clientWidth + 1
    }
    return [...document.querySelectorAll('main *')]
      .filter((element) => isOut(element) && !element.closest('.doing, .unseen, pre'))
      .map(({ outerHTML }) => outerHTML.slice(0, 200))
  })()`)
  expect.soft(beside, where).toEqual([])
  const scrolled = await page.evaluate<number>(`(() => {
    window.scrollTo({ left: 10_000, behavior: 'instant' })
    const { scrollX } = window
    window.scrollTo({ left: 0, behavior: 'instant' })
    return scrollX
  })()`)
  expect.soft(scrolled, where).toBe(0)
}
