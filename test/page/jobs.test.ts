import { expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import type { JobAnswer, JobList } from '../../src/http/schemas.ts'
import { anUpstream } from '../helpers/app.ts'
import { simulatorFor } from '../helpers/simulator.ts'
import { until } from '../e2e/ground.ts'
import { aCompletedJob, aFailedJob, aJob, pageGround } from './ground.ts'
import type { PageGround } from './ground.ts'

const minuteMs = 60_000

function rowsOf(page: Page) {
  return page.getByRole('list', { name: 'Jobs' }).locator('a.title')
}

/** Resolves when the list shows these titles and no others. */
async function untilListed(page: Page, titles: readonly string[]): Promise<void> {
  await expect
    .poll(async () => (await rowsOf(page).allTextContents()).toSorted(), { timeout: 10_000 })
    .toEqual(titles.toSorted())
}

async function scrollToEnd(page: Page): Promise<void> {
  await page.evaluate('window.scrollTo({ top: document.documentElement.scrollHeight })')
}

/** What `GET /v1/jobs` says with the same query. */
async function titlesByApi(at: PageGround, query: string): Promise<string[]> {
  const { json } = await at.call(`/v1/jobs?${query}&limit=1000`)
  return (json as JobList).items.map(({ title }) => title)
}

/** Registers so many jobs at once, which the upstream has finished. */
async function registerEnded(at: PageGround, count: number, nameOf: (index: number) => string) {
  const jobs = Array.from({ length: count }, (_, index) => {
    const jobid = `many-${index}`
    const endtime = Date.now() - index * 1000
    const document = aCompletedJob(jobid, {
      name: nameOf(index),
      starttime: endtime - 5000,
      endtime,
    })
    at.simulator.addScript([document], { jobid })
    return { jobid }
  })
  for (let from = 0; from < count; from += 1000) {
    const batch = { jobs: jobs.slice(from, from + 1000) }
    expect((await at.call('/v1/jobs/batch', 'POST', batch)).status).toBe(200)
  }
  await until(async () => {
    const { json } = await at.call('/v1/jobs?state=active&limit=1')
    return (json as JobList).items.length === 0
  })
}

test('lists what runs first, then what ended, the latest first', async () => {
  await using at = await pageGround()
  const now = Date.now()
  const ended = (ms: number) => ({ starttime: now - 3_600_000, endtime: now - ms })
  await at.watch('older-run', [aJob('older-run', { starttime: now - 30 * minuteMs })])
  await at.watch('late-end', [aCompletedJob('late-end', ended(2 * minuteMs))])
  await at.watch('early-end', [aFailedJob('early-end', ended(9 * minuteMs))])
  await at.watch('newer-run', [aJob('newer-run', { starttime: now - minuteMs })])
  const page = await at.open()
  await untilListed(page, ['job older-run', 'job late-end', 'job early-end', 'job newer-run'])
  expect(await rowsOf(page).allTextContents()).toEqual([
    'job newer-run',
    'job older-run',
    'job late-end',
    'job early-end',
  ])
  await page.getByText('2 running', { exact: true }).waitFor()
})

test('keeps filters in the address, where a reload, a new tab and the way back find them', async () => {
  const [prod, lab] = [await simulatorFor(), await simulatorFor()]
  const upstreams = [anUpstream('prod', prod), anUpstream('lab', lab)]
  await using at = await pageGround({ config: { upstreams } })
  const add = async (upstream: string, document: { jobid: string }, fields: object = {}) => {
    const { jobid } = document
    const simulator = upstream === 'lab' ? lab : prod
    simulator.addScript([document], { jobid })
    await at.call('/v1/jobs', 'POST', { jobid, upstream, ...fields })
    await until(async () => {
      const { json } = await at.call(`/v1/jobs/${jobid}?upstream=${upstream}`)
      return (json as JobAnswer).polledAt !== null
    })
  }
  await add('prod', aJob('j1'), { tags: ['nightly', 'a&b=c'] })
  await add('prod', aFailedJob('j2', { username: 'Ägidius' }), { tags: ['nightly'] })
  await add('lab', aCompletedJob('j3'), { label: '100% of_it', tags: ['nightly'] })
  await add('lab', aJob('j4', { status: 'CANCELLING' }))
  await at.call('/v1/jobs/j4?upstream=lab', 'DELETE')
  const all = ['job j1', 'job j2', '100% of_it', 'job j4']
  const page = await at.open()
  await untilListed(page, all)

  const choose = (name: string) => (value: string) =>
    page.getByRole('combobox', { name, exact: true }).selectOption(value)
  const search = (value: string) => page.getByRole('searchbox').fill(value)
  const tag = (value: string) => page.getByLabel('Tag', { exact: true }).fill(value)
  const cases: [string, (value: string) => unknown, string, number][] = [
    ['state', choose('State'), 'active', 1],
    ['state', choose('State'), 'ended', 2],
    ['state', choose('State'), 'stopped', 1],
    ['state', choose('State'), 'lost', 0],
    ['status', choose('Status'), 'FAILED', 1],
    ['status', choose('Status'), 'CANCELLING', 1],
    ['upstream', choose('Upstream'), 'lab', 2],
    ['tag', tag, 'nightly', 3],
    ['tag', tag, 'a&b=c', 1],
    ['tag', tag, 'night', 0],
    ['q', search, 'JOB J2', 1],
    ['q', search, 'ägidius', 1],
    ['q', search, '100% of_', 1],
    ['q', search, '0%o', 0],
    ['q', search, 'hydrants', 4],
    ['q', search, 'nobody has this', 0],
  ]
  for (const [name, set, value, count] of cases) {
    await set(value)
    const query = new URLSearchParams([[name, value]]).toString()
    const expected = await titlesByApi(at, query)
    expect(expected, query).toHaveLength(count)
    await untilListed(page, expected)
    expect(new URL(page.url()).hash).toBe(`#/?${query}`)
    await page.getByRole('link', { name: 'Show all' }).click()
    await untilListed(page, all)
    expect(new URL(page.url()).hash).toBe('#/')
  }

  await choose('Upstream')('lab')
  await tag('nightly')
  await search('of_it')
  await untilListed(page, ['100% of_it'])
  const address = page.url()
  await page.reload()
  await untilListed(page, ['100% of_it'])
  const another = await at.open(new URL(address).hash)
  await untilListed(another, ['100% of_it'])
  expect(await another.getByRole('searchbox').inputValue()).toBe('of_it')
  expect(await another.getByRole('combobox', { name: 'Upstream' }).inputValue()).toBe('lab')
  expect(await another.getByLabel('Tag', { exact: true }).inputValue()).toBe('nightly')

  await rowsOf(page).first().click()
  await page.getByRole('heading', { name: '100% of_it' }).waitFor()
  await page.goBack()
  await untilListed(page, ['100% of_it'])
  expect(page.url()).toBe(address)
  await rowsOf(page).first().click()
  await page.getByRole('link', { name: '← Jobs' }).click()
  await untilListed(page, ['100% of_it'])
  expect(page.url()).toBe(address)
})

test('filters by the tag that is clicked, and lets a search begin by its key', async () => {
  await using at = await pageGround()
  await at.watch('j1', [aJob('j1')], { tags: ['of #1 & more'] })
  await at.watch('j2', [aJob('j2')])
  const page = await at.open()
  await untilListed(page, ['job j1', 'job j2'])
  await page.getByRole('link', { name: 'of #1 & more' }).click()
  await untilListed(page, ['job j1'])
  expect(await page.getByLabel('Tag', { exact: true }).inputValue()).toBe('of #1 & more')

  await page.getByRole('link', { name: 'Show all' }).click()
  await untilListed(page, ['job j1', 'job j2'])
  await page.keyboard.press('/')
  await page.keyboard.type('j2/')
  const search = page.getByRole('searchbox')
  expect(await search.inputValue()).toBe('j2/')
  await page.getByText('No job fits these filters.').waitFor()
  await page.keyboard.press('Backspace')
  await untilListed(page, ['job j2'])
})

test('says what is wrong with a filter in the address that the daemon does not take', async () => {
  await using at = await pageGround()
  await at.watch('j1', [aJob('j1')])
  const page = await at.open('#/?state=sleeping')
  await page.getByText(/^state: .*active/).waitFor()
  await page.getByRole('link', { name: 'Show all' }).click()
  await untilListed(page, ['job j1'])
})

test('reads the list again by itself after jobwatch could not be reached', async () => {
  await using at = await pageGround()
  await at.watch('done', [aCompletedJob('done')])
  let refused = 0
  await at.context.route(/\/v1\/jobs\?limit=/, async (route) => {
    refused += 1
    if (refused === 1) await route.abort()
    else await route.continue()
  })
  const page = await at.open()
  await page.getByText('jobwatch does not answer').waitFor()
  await untilListed(page, ['job done'])
  await page.getByText('One job, no more').waitFor()
  expect(refused).toBe(2)
})

test('registers a job by id, by the URL of a browser and by the answer to a submit', async () => {
  await using at = await pageGround()
  const { root } = at.simulator
  for (const jobid of ['j1', 'j2', 'j3']) at.simulator.addScript([aJob(jobid)], { jobid })
  const submitAnswer = { status: 'SUBMITTED', jobid: 'j3', jobsUrl: `${root}/jobs/j3` }
  const page = await at.open()
  const seen: string[] = []
  page.on('request', (request) => seen.push(request.url()))
  for (const [jobid, text] of [
    ['j1', ' j1 '],
    ['j2', `${root}/jobs/j2?f=pjson&token=a-secret-token-of-esri`],
    ['j3', JSON.stringify(submitAnswer, null, 2)],
  ] as const) {
    await page.getByPlaceholder(/^Watch a job/).fill(text)
    await page.getByRole('button', { name: 'Watch', exact: true }).click()
    await page.getByRole('heading', { name: `job ${jobid}` }).waitFor()
    expect(new URL(page.url()).hash).toBe(`#/jobs/prod/${jobid}`)
    await page.getByRole('link', { name: '← Jobs' }).click()
  }
  await untilListed(page, ['job j1', 'job j2', 'job j3'])
  expect(seen.filter((url) => url.includes('a-secret-token-of-esri'))).toEqual([])
})

test('tells why a registration is refused, in the words of the daemon, where the text stays', async () => {
  await using at = await pageGround()
  const page = await at.open()
  const field = page.getByPlaceholder(/^Watch a job/)
  const watch = page.getByRole('button', { name: 'Watch', exact: true })
  const register = page.locator('form.register')
  for (const [text, body] of [
    ['not an id!', { jobid: 'not an id!' }],
    ['https://elsewhere.example.com/x', { url: 'https://elsewhere.example.com/x' }],
    ['{"jobid":"j1","nonsense":1}', { jobid: 'j1', nonsense: 1 }],
  ] as const) {
    const answer = await at.call('/v1/jobs', 'POST', body)
    expect(answer.status).toBe(400)
    const { errors } = answer.json as { errors: { message: string }[] }
    await field.fill(text)
    await watch.click()
    await register
      .getByRole('alert')
      .getByText(errors[0]?.message ?? '')
      .waitFor()
    expect(await field.inputValue()).toBe(text)
    expect(await field.getAttribute('aria-describedby')).toBe(
      await register.getByRole('alert').getAttribute('id'),
    )
  }
  await field.fill('{"jobid": "j1"')
  await watch.click()
  await register.getByText('it is not whole JSON').waitFor()
})

test('draws a part of thousands of jobs, brings the others by scrolling, and finds them', async () => {
  await using at = await pageGround()
  await registerEnded(at, 1500, (index) => (index === 50 ? 'the needle' : `job ${index}`))
  await at.watch('running', [aJob('running')])
  const page = await at.open()
  await page.getByRole('link', { name: 'job running' }).waitFor()
  await expect.poll(() => rowsOf(page).count()).toBeGreaterThan(50)
  expect(await rowsOf(page).count()).toBeLessThanOrEqual(300)
  expect(await rowsOf(page).first().textContent()).toBe('job running')

  await page.getByRole('searchbox').fill('needle')
  await untilListed(page, ['the needle'])
  await page.getByRole('link', { name: 'Show all' }).click()
  await page.getByRole('link', { name: 'job running' }).waitFor()

  const end = page.getByText('1501 jobs, no more')
  await expect
    .poll(
      async () => {
        await scrollToEnd(page)
        return end.count()
      },
      { timeout: 90_000, interval: 20 },
    )
    .toBe(1)
  const titles = await rowsOf(page).allTextContents()
  expect(new Set(titles).size).toBe(1501)
}, 120_000)

test('shows what a filter lets through although it is far beyond the first page', async () => {
  await using at = await pageGround()
  at.simulator.addScript([aFailedJob('first')], { jobid: 'first' })
  await at.call('/v1/jobs', 'POST', { jobid: 'first', tags: ['old'] })
  await at.untilEvent('job.failed', 'first')
  await registerEnded(at, 450, (index) => `job ${index}`)
  const page = await at.open('#/?tag=old')
  await untilListed(page, ['job first'])
  await page.goto(`${at.url}/#/?status=COMPLETED`)
  await expect
    .poll(
      async () => {
        await scrollToEnd(page)
        return rowsOf(page).count()
      },
      { timeout: 60_000, interval: 20 },
    )
    .toBe(450)
}, 90_000)
