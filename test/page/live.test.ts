import { expect, test } from 'vitest'
import { aFailedJob, aJob, pageGround } from './ground.ts'

test('shows a job as it is registered and as it ends, without a reload', async () => {
  await using at = await pageGround()
  const page = await at.open()
  await page.getByText('No job is registered yet').waitFor()
  await page.getByText('Live', { exact: true }).waitFor()
  const script = await at.watch('j1', [aJob('j1'), aFailedJob('j1')])
  await page.getByRole('link', { name: 'job j1' }).waitFor()
  await page.getByRole('list', { name: 'Jobs' }).getByText('EXECUTING').waitFor()
  script.next()
  await page.getByText('The disk is full.').first().waitFor()
  await page.getByText('on-call told').waitFor()
  expect(await page.getByRole('listitem').filter({ hasText: 'job j1' }).count()).toBe(2)
  expect(await at.openStreams()).toBe(1)
})
