import { expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import type { EndpointAnswer } from '../../src/http/schemas.ts'
import { aFailedJob, pageGround } from './ground.ts'

function card(page: Page, name: string) {
  return page.getByRole('main').getByRole('listitem').filter({ hasText: name })
}

test('tells how a test of an endpoint went, whether its receiver takes it or not', async () => {
  await using at = await pageGround()
  at.receiver.will(204, 503)
  const page = await at.open('#/endpoints')
  const testIt = card(page, 'on-call').getByRole('button', { name: 'Test' })
  const note = page.getByRole('status')
  await testIt.click()
  await note.getByText(/^on-call: taken: answered 204 after/).waitFor()
  await testIt.click()
  await note.getByText(/^on-call: not taken: answered 503 after/).waitFor()
  await page.getByRole('button', { name: 'Close this note' }).click()
  await note.getByText(/not taken/).waitFor({ state: 'detached' })
  expect(
    at.receiver.received.map(({ body }) => (JSON.parse(body) as { type: string }).type),
  ).toEqual(['jobwatch.test', 'jobwatch.test'])
})

test('asks before it disables an endpoint, and enables it again', async () => {
  await using at = await pageGround()
  const page = await at.open('#/endpoints')
  const own = card(page, 'on-call')
  const dialog = page.getByRole('dialog', { name: 'Disable on-call?' })
  const stateNow = async () =>
    ((await at.call('/v1/endpoints/on-call')).json as EndpointAnswer).state
  await own.getByRole('button', { name: 'Disable …' }).click()
  await dialog.getByRole('button', { name: 'Keep it' }).click()
  await dialog.waitFor({ state: 'detached' })
  expect(await stateNow()).toBe('active')

  await own.getByRole('button', { name: 'Disable …' }).click()
  await dialog.getByRole('button', { name: 'Disable', exact: true }).click()
  await own.getByText('disabled', { exact: true }).waitFor()
  expect(await stateNow()).toBe('disabled')
  await page.getByRole('link', { name: 'Endpoints 1 not well' }).waitFor()
  await own.getByRole('button', { name: 'Enable' }).click()
  await own.getByText('active', { exact: true }).waitFor()
  expect(await stateNow()).toBe('active')
})

test('sends past events again, those that the endpoint asks for', async () => {
  await using at = await pageGround()
  await at.watch('j1', [aFailedJob('j1')])
  const page = await at.open('#/jobs/prod/j1')
  await page.getByText(/on-call told/).waitFor()
  const [first] = at.receiver.received
  await page.getByRole('link', { name: 'Endpoints' }).click()
  const own = card(page, 'on-call')
  await own.getByText('job.failed, j1').waitFor()
  await own.getByRole('button', { name: 'Replay …' }).click()
  const dialog = page.getByRole('dialog', { name: 'Send past events again' })
  await dialog.getByRole('button', { name: 'Replay' }).click()
  await page.getByText('on-call: one event is sent again').waitFor()
  await expect.poll(() => at.receiver.received.length).toBe(2)
  expect(at.receiver.received[1]?.id).toBe(first?.id)
})

test('shows what an endpoint got last, and how much it is owed', async () => {
  await using at = await pageGround({
    config: { delivery: { retry: ['1h'], allow: ['127.0.0.0/8'] } },
  })
  const page = await at.open('#/endpoints')
  const own = card(page, 'on-call')
  await own.getByText('never').waitFor()
  await own.getByText('job.failed, job.lost').waitFor()
  await own.getByText(`webhook to ${at.receiver.url}`).waitFor()
  at.receiver.will(500)
  await at.watch('j1', [aFailedJob('j1')])
  await at.untilEvent('job.failed', 'j1')
  await page.reload()
  const pending = own.locator('.facts > div').filter({ hasText: 'Pending' }).locator('dd')
  await pending.getByText('1', { exact: true }).waitFor()
})

test('adds a webhook, and shows its secret this once', async () => {
  await using at = await pageGround()
  const page = await at.open('#/endpoints')
  await page.getByRole('button', { name: 'Add an endpoint …' }).click()
  const dialog = page.getByRole('dialog', { name: 'Add an endpoint' })
  await dialog.getByLabel('Name').fill('night-shift')
  await dialog.getByLabel('URL').fill(`${at.receiver.origin}/night`)
  await dialog.getByLabel('Events').fill('job.failed, job.lost job.cancelled')
  await dialog.getByRole('button', { name: 'Add' }).click()

  const made = page.getByRole('dialog', { name: 'night-shift is added' })
  const secret = (await made.locator('code').textContent()) ?? ''
  expect(secret).toMatch(/^whsec_/)
  await made.getByRole('button', { name: 'I have kept it' }).click()
  await made.waitFor({ state: 'detached' })
  const own = card(page, 'night-shift')
  await own.getByText('job.failed, job.lost, job.cancelled').waitFor()
  expect(await page.content()).not.toContain(secret)
  await page.reload()
  await own.waitFor()
  expect(await page.content()).not.toContain(secret)

  await own.getByRole('button', { name: 'Test' }).click()
  await page.getByText(/night-shift: taken/).waitFor()
  expect(at.receiver.to('/night')[0]?.isSignedBy(secret)).toBe(true)
})

test('tells in the words of the daemon why an endpoint is not added, and keeps what was typed', async () => {
  await using at = await pageGround()
  const page = await at.open('#/endpoints')
  await page.getByRole('button', { name: 'Add an endpoint …' }).click()
  const dialog = page.getByRole('dialog', { name: 'Add an endpoint' })
  for (const [name, url] of [
    ['Not A Name', 'https://example.com/hook'],
    ['on-call', 'https://example.com/hook'],
    ['good', 'ftp://example.com/hook'],
    ['good', 'http://10.1.2.3/hook'],
    ['good', 'http://169.254.169.254/latest'],
  ] as const) {
    const answer = await at.call('/v1/endpoints', 'POST', { name, url, format: 'webhook' })
    expect(answer.status).toBeGreaterThanOrEqual(400)
    await dialog.getByLabel('Name').fill(name)
    await dialog.getByLabel('URL').fill(url)
    await dialog.getByRole('button', { name: 'Add' }).click()
    const { detail } = answer.json as { detail: string }
    await dialog.getByRole('alert').getByText(detail, { exact: true }).waitFor()
    expect(await dialog.getByLabel('URL').inputValue()).toBe(url)
  }
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  expect(await page.getByRole('main').getByRole('listitem').count()).toBe(1)
})
