import { expect } from 'vitest'
import type { Locator, Page } from 'playwright-core'
import type { EventList } from '../../src/http/schemas.ts'
import type { PageGround } from './ground.ts'

/** As long as locators wait. */
export const patience = { timeout: 15_000 }

/** The rows of the list of jobs. */
export function rows(page: Page): Locator {
  return page.getByRole('list', { name: 'Jobs' }).getByRole('listitem')
}

/** The row of one job of the list, as long as its title is `job <jobid>`. */
export function row(page: Page, jobid: string): Locator {
  return rows(page).filter({ has: page.getByRole('link', { name: `job ${jobid}`, exact: true }) })
}

/** Resolves when the row of a job says this. */
export async function untilRowSays(page: Page, jobid: string, words: string): Promise<void> {
  await row(page, jobid).getByText(words, { exact: true }).waitFor()
}

/** The mark that what is shown is so now. */
export function liveMark(page: Page): Locator {
  return page.getByText('Live', { exact: true })
}

/** Resolves when the list is live, and has been read to its end: what it learns now, it hears. */
export async function untilSettled(page: Page): Promise<void> {
  await liveMark(page).waitFor()
  await page.getByText(/, no more$|^No job is registered yet/).waitFor()
}

/** Resolves when the view of a job lists the events that the log has of it: each once, in order. */
export async function untilTimelineIsWhole(
  at: PageGround,
  page: Page,
  jobid: string,
): Promise<void> {
  const { items } = (await at.call(`/v1/events?jobid=${jobid}&last=200`)).json as EventList
  expect(items.length).toBeGreaterThan(0)
  const entries = items.map(({ data }) => `#${data.seq}`).reverse()
  await expect.poll(() => timeline(page).allTextContents(), patience).toEqual(entries)
}

/** The seqs of the events that the view of a job lists. */
export function timeline(page: Page): Locator {
  const heading = page.getByRole('heading', { name: 'What happened' })
  return page
    .locator('section')
    .filter({ has: heading })
    .getByText(/^#\d+$/)
}

/** Resolves when so many streams are open. */
export async function untilStreams(at: PageGround, count: number): Promise<void> {
  await expect.poll(() => at.openStreams(), patience).toBe(count)
}
