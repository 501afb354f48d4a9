import { expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import type { JobAnswer } from '../../src/http/schemas.ts'
import { anUpstream } from '../helpers/app.ts'
import { simulatorFor } from '../helpers/simulator.ts'
import { until } from '../e2e/ground.ts'
import { aCompletedJob, aFailedJob, aJob, pageGround } from './ground.ts'

function section(page: Page, title: string) {
  return page.locator('section').filter({ has: page.getByRole('heading', { name: title }) })
}

/** What the facts of the job say under this name. */
function fact(page: Page, name: string) {
  return page
    .locator('.facts > div')
    .filter({ has: page.locator('dt').getByText(name, { exact: true }) })
    .locator('dd')
}

test('says first how the job is, why, and whom that was told, and then how it came to it', async () => {
  await using at = await pageGround()
  const script = await at.watch('j1', [
    aJob('j1', { resource: 'Hydrants (id: 7)' }),
    aFailedJob('j1', { resource: 'Hydrants (id: 7)', messages: ['Started.', 'One <b>more</b>.'] }),
  ])
  const page = await at.open('#/jobs/prod/j1')
  await page.getByRole('heading', { name: 'job j1', level: 1 }).waitFor()
  script.next()
  await page.getByText('Why The disk is full.').waitFor()
  await page.getByText(/Who was told ✅ on-call told \d/).waitFor()
  const texts = await page.getByRole('main').innerText()
  const places = [
    'job j1',
    'FAILED',
    'Why',
    'Who was told',
    'Poll now',
    'Operation',
    'Stages',
    'Messages',
    'Result',
    'What happened',
    'Deliveries',
  ].map((words) => texts.indexOf(words))
  expect(places).not.toContain(-1)
  expect(places).toEqual(places.toSorted((a, b) => a - b))

  expect(await section(page, 'Messages').getByRole('listitem').allInnerTexts()).toEqual([
    'Started.',
    'One <b>more</b>.',
  ])
  expect(await section(page, 'Result').locator('pre').textContent()).toBe(
    JSON.stringify({ status: 'error', messages: ['The disk is full.'] }, null, 2),
  )
  expect(await fact(page, 'Who').textContent()).toBe('siteadmin')
  expect(await fact(page, 'Job id').textContent()).toBe('j1')
  const link = page.getByRole('link', { name: 'Open the job' })
  expect(await link.getAttribute('href')).toBe(`${at.simulator.root}/jobs/j1`)
  expect(await link.getAttribute('rel')).toBe('noreferrer')

  const timeline = section(page, 'What happened').getByRole('listitem')
  const seqs = (await timeline.locator('.seq').allInnerTexts()).map((text) => Number(text.slice(1)))
  expect(seqs).toEqual(seqs.toSorted((a, b) => b - a))
  expect(await timeline.locator('.type').allInnerTexts()).toEqual([
    'job.failed',
    'job.message.added',
    'job.stage.changed',
    'job.executing',
    'job.watched',
  ])
  await timeline.first().getByText('EXECUTING → FAILED: The disk is full.').waitFor()
})

test('draws each stage where it lies in the time of the job', async () => {
  await using at = await pageGround()
  const stages = (...states: string[]) => ({
    progress: {
      stages: ['first', 'second', 'third'].map((name, index) => ({ name, state: states[index] })),
    },
  })
  const script = await at.watch('j1', [
    aJob('j1', stages('Not Started', 'Not Started', 'Not Started')),
    aJob('j1', stages('In Progress', 'Not Started', 'Not Started')),
    aJob('j1', stages('Completed', 'In Progress', 'Not Started')),
    aJob('j1', stages('Completed', 'Completed', 'In Progress')),
    aFailedJob('j1', { ...stages('Completed', 'Completed', 'Failed'), endtime: Date.now() + 2000 }),
  ])
  const jobNow = async () => (await at.call('/v1/jobs/j1')).json as JobAnswer
  for (const running of ['first', 'second', 'third', null]) {
    script.next()
    await until(async () => {
      const { stages: now } = await jobNow()
      return (now.find(({ state }) => state === 'running')?.name ?? null) === running
    })
  }
  const page = await at.open('#/jobs/prod/j1')
  const lines = section(page, 'Stages').getByRole('listitem')
  await lines.last().waitFor()
  expect(await lines.locator('.name').allInnerTexts()).toEqual(['first', 'second', 'third'])
  expect(await lines.locator('.state').allInnerTexts()).toEqual([
    expect.stringContaining('completed'),
    expect.stringContaining('completed'),
    expect.stringContaining('failed'),
  ])

  const job = await jobNow()
  const from = Date.parse(job.startedAt ?? '')
  const to = Date.parse(job.endedAt ?? '')
  const boxOf = async (selector: string, index: number) => {
    const box = await lines.nth(index).locator(selector).boundingBox()
    if (box === null) throw new Error(`${selector} is not drawn`)
    return box
  }
  for (const [index, stage] of job.stages.entries()) {
    const track = await boxOf('.track', index)
    const bar = await boxOf('.bar', index)
    const placeOf = (time: string | null) =>
      track.x + (track.width * (Date.parse(time ?? '') - from)) / (to - from)
    expect(Math.abs(bar.x - placeOf(stage.startedAt)), stage.name).toBeLessThan(4)
    // A short one is drawn at least so wide that it is seen.
    const end = Math.max(placeOf(stage.endedAt), bar.x + 4)
    expect(Math.abs(bar.x + bar.width - end), stage.name).toBeLessThan(4)
  }
})

test('shows what became of each attempt of a delivery when it is opened', async () => {
  await using at = await pageGround()
  at.receiver.will({ status: 500, body: 'the <i>queue</i> is full' }, 'reset', 204)
  await at.watch('j1', [aFailedJob('j1')])
  const page = await at.open('#/jobs/prod/j1')
  const delivery = section(page, 'Deliveries').getByRole('listitem').first()
  await delivery.getByText('3 attempts').waitFor()
  await delivery.getByText('job.failed').waitFor()
  await delivery.getByText('delivered', { exact: true }).waitFor()
  expect(await delivery.getByText('answered 500').count()).toBe(0)
  await delivery.locator('summary').click()
  await delivery.getByText(/not taken: answered 500 after \d/).waitFor()
  await delivery.getByText('the <i>queue</i> is full', { exact: true }).waitFor()
  await delivery.getByText(/the connection broke off before the answer was whole/).waitFor()
  await delivery.getByText(/taken: answered 204 after/).waitFor()
  expect(await delivery.getByRole('button').count()).toBe(0)
})

test('looks at the job at once when asked to', async () => {
  const simulator = await simulatorFor()
  const polling = { interval: '365d', maxInterval: '365d' }
  await using at = await pageGround({
    config: { upstreams: [{ ...anUpstream('prod', simulator), polling }] },
  })
  const script = simulator.addScript([aJob('j1'), aCompletedJob('j1')], { jobid: 'j1' })
  await at.call('/v1/jobs', 'POST', { jobid: 'j1' })
  await at.untilEvent('job.executing', 'j1')
  const page = await at.open('#/jobs/prod/j1')
  await page.locator('.summary').getByText('EXECUTING').waitFor()
  script.next()
  await page.getByRole('button', { name: 'Poll now' }).click()
  await page.locator('.summary').getByText('COMPLETED').waitFor()
  await page.getByText('Looked at just now').waitFor()
})

test('gives a label and tags, and takes them away again', async () => {
  await using at = await pageGround()
  await at.watch('j1', [aJob('j1')])
  const page = await at.open('#/jobs/prod/j1')
  const edit = page.getByRole('button', { name: 'Label and tags …' })
  const dialog = page.getByRole('dialog', { name: 'Label and tags' })
  await edit.click()
  await dialog.getByLabel(/^Label/).fill('  the nightly <one> ')
  await dialog.getByLabel(/^Tags/).fill('nightly, , gis & more,nightly')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('heading', { name: 'the nightly <one>', level: 1 }).waitFor()
  await dialog.waitFor({ state: 'detached' })
  await expect.poll(() => fact(page, 'Tags').textContent()).toBe('nightly, gis & more')
  const job = (await at.call('/v1/jobs/j1')).json as JobAnswer
  expect(job).toMatchObject({ label: 'the nightly <one>', tags: ['nightly', 'gis & more'] })

  await edit.click()
  expect(await dialog.getByLabel(/^Label/).inputValue()).toBe('the nightly <one>')
  await dialog.getByLabel(/^Label/).fill('')
  await dialog.getByLabel(/^Tags/).fill('')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'job j1', level: 1 }).waitFor()
  await fact(page, 'Tags').waitFor({ state: 'detached' })
  expect((await at.call('/v1/jobs/j1')).json).toMatchObject({ label: null, tags: [] })
})

test('tells in its dialog why a label or a tag is not taken', async () => {
  await using at = await pageGround()
  await at.watch('j1', [aJob('j1')])
  const page = await at.open('#/jobs/prod/j1')
  await page.getByRole('button', { name: 'Label and tags …' }).click()
  const dialog = page.getByRole('dialog', { name: 'Label and tags' })
  await dialog.getByLabel(/^Tags/).fill('x'.repeat(101))
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.getByRole('alert').getByText('tags').waitFor()
  expect(await dialog.getByLabel(/^Tags/).inputValue()).toHaveLength(101)
})

test('stops watching after a question, and watches again', async () => {
  await using at = await pageGround()
  await at.watch('j1', [aJob('j1')])
  const page = await at.open('#/jobs/prod/j1')
  const stop = page.getByRole('button', { name: 'Stop watching …' })
  const dialog = page.getByRole('dialog', { name: 'Stop watching?' })
  await stop.click()
  await dialog.getByRole('button', { name: 'Keep watching' }).click()
  await dialog.waitFor({ state: 'detached' })
  expect((await at.call('/v1/jobs/j1')).json).toMatchObject({ state: 'active' })

  await stop.click()
  await dialog.getByRole('button', { name: 'Stop watching' }).click()
  await page.locator('.summary').getByText('no longer watched').waitFor()
  expect((await at.call('/v1/jobs/j1')).json).toMatchObject({ state: 'stopped' })
  await page.getByRole('button', { name: 'Watch again' }).click()
  await page.locator('.summary').getByText('EXECUTING').waitFor()
  expect((await at.call('/v1/jobs/j1')).json).toMatchObject({ state: 'active' })
})

test('tells that it knows no such job, whatever the address says', async () => {
  await using at = await pageGround()
  const { json } = await at.call('/v1/jobs/nobody?upstream=prod')
  const page = await at.open('#/jobs/prod/nobody')
  await page.getByRole('heading', { name: 'nobody', level: 1 }).waitFor()
  await page.getByText((json as { detail: string }).detail).waitFor()
  const rule = 'jobid: must be 1 to 128 letters, digits, - or _, the first a letter or digit'
  for (const [odd, heading, says] of [
    ['a%2Fb', 'a/b', rule],
    ['..%2F..%2Fmetrics', '../../metrics', rule],
    ['%E0%A4%A', '%E0%A4%A', rule],
    ['%3Cimg%20src=x%3E', '<img src=x>', rule],
    ['%00%E2%80%AE', '\\u0000\\u202e', rule],
    ['x?y#z', 'x', 'Job x is not registered here'],
    ['..', '..', 'There is nothing at this path'],
  ] as const) {
    await page.goto(`${at.url}/#/jobs/prod/${odd}`)
    await page.getByRole('heading', { name: heading, exact: true }).waitFor()
    await page.getByText(says, { exact: true }).waitFor()
  }
  await page.getByRole('link', { name: '← Jobs' }).click()
  await page.getByText('No job is registered yet').waitFor()
})

test('shows of two jobs with one id that of the upstream in the address', async () => {
  const [prod, lab] = [await simulatorFor(), await simulatorFor()]
  const upstreams = [anUpstream('prod', prod), anUpstream('lab', lab)]
  await using at = await pageGround({ config: { upstreams } })
  prod.addScript([aFailedJob('same', { name: 'of production' })], { jobid: 'same' })
  lab.addScript([aCompletedJob('same', { name: 'of the lab' })], { jobid: 'same' })
  await at.call('/v1/jobs', 'POST', { jobid: 'same', upstream: 'lab' })
  await at.untilEvent('job.completed', 'same')
  await at.call('/v1/jobs', 'POST', { jobid: 'same', upstream: 'prod' })
  await at.untilEvent('job.failed', 'same')

  const page = await at.open('#/jobs/lab/same')
  await page.getByRole('heading', { name: 'of the lab' }).waitFor()
  await page.locator('.summary').getByText('COMPLETED').waitFor()
  await page.getByText('Nobody was told').waitFor()
  expect(await fact(page, 'Upstream').textContent()).toBe('lab')
  const link = page.getByRole('link', { name: 'Open the job' })
  expect(await link.getAttribute('href')).toBe(`${lab.root}/jobs/same`)
  expect(await section(page, 'What happened').getByText('job.failed').count()).toBe(0)
  // The failure of the other one was delivered; it is none of this one's.
  expect(await section(page, 'Deliveries').count()).toBe(0)

  await page.goto(`${at.url}/#/jobs/prod/same`)
  await page.getByRole('heading', { name: 'of production' }).waitFor()
  await section(page, 'Deliveries').getByText('job.failed').waitFor()
  await page.getByRole('link', { name: '← Jobs' }).click()
  const rows = page.getByRole('list', { name: 'Jobs' }).getByRole('listitem')
  await rows.filter({ hasText: 'of the lab' }).getByText('COMPLETED').waitFor()
  await rows.filter({ hasText: 'of production' }).getByText('FAILED').waitFor()
})
