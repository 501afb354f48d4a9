import { expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { until } from '../e2e/ground.ts'
import { expectNoSidewaysScroll, patientDelivery } from './filled.ts'
import { aFailedJob, aJob, pageGround } from './ground.ts'
import type { PageGround } from './ground.ts'

/** What would do something if it were more than text; the place where it is makes it unlike others. */
function hostile(place: string): string {
  return (
    `${place}<img src=https://evil.example/x onerror=alert(1)><script>alert(1)</script>` +
    `"'\`javascript:alert(1)&lt;b&gt; \u202Eright to left\u2066 \u001B[31m \u0000 \uD800 end`
  )
}

/** The same as people are shown it: marks that turn text or drive a terminal are spelt out. */
function shown(place: string): string {
  return hostile(place)
    .replace('\u202E', '\\u202e')
    .replace('\u2066', '\\u2066')
    .replace('\u001B', '\\u001b')
    .replace('\u0000', '\\u0000')
    .replace(/\uD800/, '\\ud800')
}

/** As JSON sends it over the network: half a character is none. */
const longWord = 'W'.repeat(4000)
const longTag = 't'.repeat(100)

const documentOf = (jobid: string) =>
  aFailedJob(jobid, {
    name: hostile('name'),
    operationURI: `javascript:alert(1)/${hostile('operation')}`,
    resource: hostile('resource'),
    username: hostile('username'),
    messages: [hostile('message'), longWord, { type: hostile('level'), description: 'x' }],
    progress: {
      stages: [
        { name: hostile('stage'), state: hostile('state') },
        { name: longWord, state: longWord },
      ],
    },
    result: { status: 'error', messages: [hostile('result')], [hostile('key')]: longWord },
  })

/** A ground in which all that others may write is hostile. */
async function hostileGround(at: PageGround): Promise<void> {
  const answer = { status: 500, body: `${hostile('answer')}\n${longWord}` }
  at.receiver.will(answer)
  await at.call('/v1/endpoints', 'POST', {
    name: 'n'.repeat(64),
    url: `${at.receiver.origin}/${'u'.repeat(500)}?<script>`,
    match: { tag: [longTag] },
  })
  await at.watch('hostile', [documentOf('hostile')])
  await at.watch('labelled', [documentOf('labelled')], {
    label: hostile('label').slice(0, 200),
    tags: [longTag, hostile('tag').slice(0, 100)],
  })
  await at.watch('wordy', [
    aFailedJob('wordy', {
      name: longWord,
      username: longWord,
      resource: longWord,
      operationURI: longWord,
      result: { status: 'error', messages: [longWord] },
    }),
  ])
  await at.watch('running', [
    aJob('running', {
      name: longWord,
      username: longWord,
      progress: { stages: [{ name: longWord, state: 'In Progress' }] },
    }),
  ])
  await at.watch('odd', [aJob('odd', { status: hostile('status') })])
  await at.watch('long-status', [aJob('long-status', { status: longWord })])
  await until(async () => {
    const { json } = await at.call('/v1/deliveries?jobid=hostile&endpoint=on-call')
    const { items } = json as { items: { attemptCount: number }[] }
    return items.some(({ attemptCount }) => attemptCount > 0)
  })
}

/** Whatever goes elsewhere from now on, and dialogs that scripts open. */
function escapesOf({ context, url }: PageGround): string[] {
  const escapes: string[] = []
  context.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) escapes.push(request.url())
  })
  context.on('dialog', (dialog) => {
    escapes.push(dialog.message())
    void dialog.dismiss()
  })
  return escapes
}

/** Checks that none of it has become an element, an attribute that acts, or a mark that turns text. */
async function expectOnlyText(page: Page, where: string): Promise<void> {
  const found = await page.evaluate<string[]>(`[
    ...[...document.querySelectorAll('#page script, #page b, #page img:not([src="./favicon.svg"])')],
    ...[...document.querySelectorAll('a')].filter((a) => !/^https?:$/.test(a.protocol)),
  ].map((element) => element.outerHTML)`)
  expect(found, where).toEqual([])
  const text = (await page.locator('#page').textContent()) ?? ''
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  expect(/[\u202a-\u202e\u2066-\u2069\u001b\u0000]/.exec(text)?.[0], where).toBeUndefined()
}

test.each([1280, 390])('keeps hostile text what it is, on every view: %i px', async (width) => {
  await using at = await pageGround({
    config: patientDelivery,
    browser: { viewport: { width, height: 844 } },
  })
  await hostileGround(at)
  const escapes = escapesOf(at)
  const page = await at.open()
  const main = page.getByRole('main')
  const look = async (where: string) => {
    await expectOnlyText(page, where)
    await expectNoSidewaysScroll(page, where)
  }

  await page.getByText('6 jobs, no more').waitFor()
  await page.getByRole('list', { name: 'Jobs' }).getByText('OTHER: status<img').waitFor()
  // Rows out of sight have no inner text.
  const list = await main.textContent()
  for (const place of ['name', 'username', 'result', 'status']) {
    expect(list).toContain(shown(place).slice(0, 80))
  }
  expect(list).toContain('label<img src=https://evil.example/x onerror=alert(1)>')
  expect(list).toContain('tag<img src=https://evil.example/x onerror=alert(1)>')
  await look('the list')

  for (const jobid of ['hostile', 'labelled', 'wordy', 'running', 'odd', 'long-status']) {
    await page.goto(`${at.url}/#/jobs/prod/${jobid}`)
    await page.getByText('What happened').waitFor()
    await look(jobid)
  }
  await page.goto(`${at.url}/#/jobs/prod/hostile`)
  await page.locator('summary').filter({ hasText: 'on-call' }).click()
  await page.locator('.attempts pre').waitFor()
  const job = await main.innerText()
  for (const place of ['name', 'operation', 'resource', 'username', 'message', 'stage', 'result']) {
    expect(job, place).toContain(shown(place).slice(0, 120))
  }
  expect(job).toContain('unknown (state<img')
  expect(await page.locator('.attempts pre').innerText()).toContain(shown('answer').slice(0, 120))
  await look('attempts')
  await page.getByRole('button', { name: /Put away|Stop watching/ }).click()
  await look('a question')
  await page.keyboard.press('Escape')
  await page.goto(`${at.url}/#/jobs/prod/labelled`)
  await page.getByRole('button', { name: 'Label and tags …' }).click()
  await page.getByRole('dialog').waitFor()
  await expectNoSidewaysScroll(page, 'label and tags')
  await page.keyboard.press('Escape')

  await page.goto(`${at.url}/#/endpoints`)
  await page.getByText('webhook to').first().waitFor()
  await look('endpoints')
  await page.getByRole('button', { name: 'Disable …' }).last().click()
  await page.getByRole('dialog').waitFor()
  await look('a question about an endpoint')
  expect(escapes).toEqual([])
})

test.each([1280, 390])('keeps what a broken upstream answers what it is: %i px', async (width) => {
  await using at = await pageGround({ browser: { viewport: { width, height: 844 } } })
  await at.call('/v1/jobs', 'POST', { jobid: 'j1' })
  const escapes = escapesOf(at)
  const script = at.simulator.addScript(
    [{ httpStatus: 200, body: { status: 'error', messages: [hostile('trouble'), longWord] } }],
    { jobid: 'j1' },
  )
  expect(script.jobid).toBe('j1')
  await at.call('/v1/jobs/j1/poll', 'POST')
  const page = await at.open('#/jobs/prod/j1')
  await page.getByText('Trouble', { exact: true }).waitFor()
  await expectOnlyText(page, 'trouble')
  await expectNoSidewaysScroll(page, 'trouble')
  for (const hash of ['#/', '#/upstreams']) {
    await page.goto(`${at.url}/${hash}`)
    await page.getByText('Live', { exact: true }).waitFor()
    await expectOnlyText(page, hash)
    await expectNoSidewaysScroll(page, hash)
  }
  expect(escapes).toEqual([])
})

test('keeps what an address says what it is', async () => {
  await using at = await pageGround({ browser: { viewport: { width: 390, height: 844 } } })
  await at.watch('j1', [aJob('j1')])
  const escapes = escapesOf(at)
  const page = await at.open()
  const odd = encodeURIComponent(hostile('address').replace(/\uD800/, ''))
  for (const hash of [
    `#/jobs/prod/${odd}`,
    `#/jobs/${odd}/j1`,
    `#/jobs/prod/${longWord}`,
    `#/?q=${odd}`,
    `#/?tag=${odd}&state=${odd}&status=${odd}&upstream=${odd}`,
    `#${odd}`,
    '#javascript:alert(1)',
    '#/?q=%E0%A4%A&tag=%',
  ]) {
    await page.goto(`${at.url}/${hash}`)
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.getByText('Loading …').waitFor({ state: 'detached' })
    await expectOnlyText(page, hash)
    await expectNoSidewaysScroll(page, hash)
  }
  expect(escapes).toEqual([])
})
