import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { aJob, pageGround, reader, withTokens, writer } from './ground.ts'
import { liveMark, row, untilStreams } from './shown.ts'

async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

const renewed = { ...reader, token: 'another-token-of-the-wall' }

test('a session that ends while the page is open ends in the sign-in, which shows no data', async () => {
  await using at = await pageGround({ config: withTokens })
  await at.watch('j1', [aJob('j1')])
  const page = await at.open()
  await signIn(page, reader.token)
  await row(page, 'j1').waitFor()
  await liveMark(page).waitFor()
  await at.kill()
  await at.start({ api: { tokens: [writer, renewed] } })
  await page.getByLabel('Token').waitFor()
  expect(await page.getByText('job j1').count()).toBe(0)
  await untilStreams(at, 0)
  await signIn(page, reader.token)
  await page.getByText('This token is none of those').waitFor()
  await signIn(page, renewed.token)
  await row(page, 'j1').waitFor()
  await liveMark(page).waitFor()
  await at.watch('j2', [aJob('j2')])
  await row(page, 'j2').waitFor()
  await untilStreams(at, 1)
})

test('a session that ends, ends in every tab', async () => {
  await using at = await pageGround({ config: withTokens })
  await at.watch('j1', [aJob('j1')])
  const first = await at.open()
  await signIn(first, reader.token)
  await liveMark(first).waitFor()
  const second = await at.open()
  await liveMark(second).waitFor()
  await at.kill()
  await at.start({ api: { tokens: [writer, renewed] } })
  for (const page of [first, second]) await page.getByLabel('Token').waitFor()
  await signIn(second, renewed.token)
  for (const page of [first, second]) await row(page, 'j1').waitFor()
  await untilStreams(at, 1)
})

test('whoever signs out in one tab is signed out in all, and signs in for all', async () => {
  await using at = await pageGround({ config: withTokens })
  await at.watch('j1', [aJob('j1')])
  const first = await at.open()
  await signIn(first, reader.token)
  await row(first, 'j1').waitFor()
  const second = await at.open('#/jobs/prod/j1')
  await second.getByRole('heading', { name: 'job j1' }).waitFor()
  await first.getByRole('button', { name: 'Sign out' }).click()
  for (const page of [first, second]) {
    await page.getByLabel('Token').waitFor()
    expect(await page.getByText('job j1').count()).toBe(0)
  }
  await untilStreams(at, 0)
  await signIn(first, writer.token)
  await row(first, 'j1').waitFor()
  await second.getByRole('heading', { name: 'job j1' }).waitFor()
})

test('a page that is already open follows on after a restart without another sign-in', async () => {
  await using at = await pageGround({ config: withTokens })
  const page = await at.open()
  await signIn(page, reader.token)
  await liveMark(page).waitFor()
  await at.kill()
  await page.getByText('Reconnecting …').waitFor()
  await at.start()
  await at.watch('j1', [aJob('j1')])
  await row(page, 'j1').waitFor()
  await liveMark(page).waitFor()
})

test('whoever signs out while the daemon is away is told that it did not work', async () => {
  await using at = await pageGround({ config: withTokens })
  const page = await at.open()
  await signIn(page, reader.token)
  await liveMark(page).waitFor()
  await at.kill()
  await page.getByText('Reconnecting …').waitFor()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByText('jobwatch does not answer').waitFor()
  await at.start()
})
