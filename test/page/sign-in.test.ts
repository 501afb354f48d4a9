import { expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { aFailedJob, aJob, pageGround, reader, withTokens, writer } from './ground.ts'
import type { PageGround } from './ground.ts'

/** The calls of the API that browsers make from now on. */
function callsOf({ context }: PageGround): string[] {
  const calls: string[] = []
  context.on('request', (request) => {
    const { pathname } = new URL(request.url())
    if (pathname.startsWith('/v1/')) calls.push(pathname)
  })
  return calls
}

async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

test('asks for nothing and shows nothing before the sign-in, and tells that a token is wrong', async () => {
  await using at = await pageGround({ config: withTokens })
  await at.watch('j1', [aJob('j1')])
  const calls = callsOf(at)
  const page = await at.open('#/jobs/prod/j1')
  await signIn(page, 'no-such-token')
  await page
    .getByRole('alert')
    .getByText('This token is none of those that are configured under api.tokens')
    .waitFor()
  expect(new Set(calls)).toEqual(new Set(['/v1/session']))
  expect(await page.getByRole('navigation').count()).toBe(0)
  expect(await page.getByRole('heading').allTextContents()).toEqual([' jobwatch'])
  // The wrong one is replaced by typing.
  await page.locator('input[name=token]:focus').waitFor()
})

test('signs in with a token that no script can read afterwards, and stays so over a reload', async () => {
  await using at = await pageGround({ config: withTokens })
  await at.watch('j1', [aJob('j1')])
  const page = await at.open('#/jobs/prod/j1')
  await signIn(page, `  ${writer.token} `)
  const heading = page.getByRole('heading', { name: 'job j1' })
  await heading.waitFor()

  const [cookie, ...others] = await at.context.cookies()
  expect(others).toEqual([])
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' })
  const readable = await page.evaluate<string>(
    'JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, location.href])',
  )
  expect(readable).not.toContain(writer.token)
  expect(readable).not.toContain(cookie?.value)
  expect(await page.evaluate('document.cookie')).toBe('')

  await page.reload()
  await heading.waitFor()
  const another = await at.open()
  await another.getByRole('link', { name: 'job j1' }).waitFor()
})

test('signs all tabs out at once, and leaves nothing of the jobs behind', async () => {
  await using at = await pageGround({ config: withTokens })
  await at.watch('j1', [aJob('j1')])
  const page = await at.open()
  await signIn(page, writer.token)
  await page.getByRole('link', { name: 'job j1' }).waitFor()
  const another = await at.open('#/jobs/prod/j1')
  await another.getByRole('heading', { name: 'job j1' }).waitFor()

  await page.getByRole('button', { name: 'Sign out' }).click()
  for (const tab of [page, another]) {
    await tab.getByLabel('Token').waitFor()
    expect(await tab.locator('body').innerText()).not.toContain('job j1')
  }
  expect(await at.context.cookies()).toEqual([])
  const calls = callsOf(at)
  await page.reload()
  await page.getByLabel('Token').waitFor()
  expect(calls).toEqual(['/v1/session'])
})

test.each([
  { who: reader, mayWrite: false },
  { who: writer, mayWrite: true },
])('offers to $who.name only what that token may do', async ({ who, mayWrite }) => {
  await using at = await pageGround({ config: withTokens })
  at.receiver.will(500)
  await at.watch('j1', [aFailedJob('j1')])
  await at.untilEvent('job.failed', 'j1')
  const page = await at.open()
  await signIn(page, who.token)
  const main = page.getByRole('main')

  await main.getByRole('link', { name: 'job j1' }).first().waitFor()
  expect((await main.getByRole('button').count()) > 0).toBe(mayWrite)
  expect((await main.getByPlaceholder(/^Watch a job/).count()) > 0).toBe(mayWrite)
  for (const [hash, proof] of [
    ['#/jobs/prod/j1', 'answered 500'],
    ['#/endpoints', 'webhook to'],
  ] as const) {
    await page.goto(`${at.url}/${hash}`)
    if (hash.includes('j1')) await main.locator('summary').first().click()
    await main.getByText(proof).first().waitFor()
    expect((await main.getByRole('button').count()) > 0, hash).toBe(mayWrite)
  }
  await page.goto(`${at.url}/#/upstreams`)
  await main.getByText('Token good until').waitFor()
  expect(await main.getByRole('button').count()).toBe(0)
})
