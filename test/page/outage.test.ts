import { expect, test } from 'vitest'
import { aCompletedJob, aFailedJob, aJob, pageGround } from './ground.ts'
import { openGateway } from './gateway.ts'
import {
  liveMark,
  row,
  rows,
  untilRowSays,
  untilSettled,
  untilStreams,
  untilTimelineIsWhole,
} from './shown.ts'

test('a daemon that was killed and comes back is followed on, with what happened meanwhile', async () => {
  await using at = await pageGround()
  const script = await at.watch('j1', [aJob('j1'), aFailedJob('j1')])
  const list = await at.open()
  await liveMark(list).waitFor()
  await row(list, 'j1').waitFor()
  const job = await at.open('#/jobs/prod/j1')
  await liveMark(job).waitFor()
  await at.kill()
  for (const page of [list, job]) await page.getByText('Reconnecting …').waitFor()
  script.next()
  await at.start()
  await at.watch('j2', [aJob('j2'), aCompletedJob('j2')]).then((other) => other.next())
  await at.untilEvent('job.completed', 'j2')
  await at.untilEvent('job.failed', 'j1')
  for (const page of [list, job]) await liveMark(page).waitFor()
  await untilRowSays(list, 'j1', 'FAILED')
  await untilRowSays(list, 'j2', 'COMPLETED')
  expect(await rows(list).count()).toBe(2)
  await job.getByText('Why The disk is full.').waitFor()
  await untilTimelineIsWhole(at, job, 'j1')
  await untilStreams(at, 1)
})

test('an outage that lasts is told, with the time since which nothing is known', async () => {
  await using at = await pageGround()
  await at.context.clock.install()
  const page = await at.open()
  await liveMark(page).waitFor()
  await at.kill()
  await page.getByText('Reconnecting …').waitFor()
  await at.context.clock.fastForward(20_000)
  await page.getByText(/^Stale since .*\d:\d\d.*, reconnecting …$/).waitFor()
  await at.start()
  await at.context.clock.fastForward(20_000)
  await liveMark(page).waitFor()
})

test.each([502, 503, 200])(
  'a proxy that answers %i for a while does not end it',
  async (status) => {
    await using at = await pageGround()
    await using gateway = await openGateway(at.url)
    const script = await at.watch('j1', [aJob('j1'), aCompletedJob('j1')])
    const page = await at.open('#/', gateway.url)
    await liveMark(page).waitFor()
    await row(page, 'j1').waitFor()
    const isRefused = page.waitForResponse((answer) => answer.url().includes('/v1/events/stream'))
    gateway.refuse(status)
    await page.getByText('Reconnecting …').waitFor()
    expect((await isRefused).status()).toBe(status)
    script.next()
    await at.untilEvent('job.completed', 'j1')
    gateway.mend()
    await liveMark(page).waitFor()
    await untilRowSays(page, 'j1', 'COMPLETED')
    await untilStreams(at, 1)
  },
)

test('a stream through which nothing comes any more is given up for another', async () => {
  await using at = await pageGround()
  await using gateway = await openGateway(at.url)
  await at.context.clock.install()
  const script = await at.watch('j1', [aJob('j1'), aCompletedJob('j1')])
  const page = await at.open('#/', gateway.url)
  await untilSettled(page)
  await row(page, 'j1').waitFor()
  await untilStreams(at, 1)
  gateway.silence()
  script.next()
  await at.untilEvent('job.completed', 'j1')
  await at.context.clock.fastForward(41_000)
  await untilRowSays(page, 'j1', 'COMPLETED')
  await liveMark(page).waitFor()
  await untilStreams(at, 1)
})

test('what fails while the page is opened is tried again, and takes nothing away', async () => {
  await using at = await pageGround()
  const script = await at.watch('j1', [aJob('j1'), aCompletedJob('j1')])
  script.next()
  await at.untilEvent('job.completed', 'j1')
  await at.context.clock.install()
  const page = await at.context.newPage()
  let asked = 0
  await page.route('**/v1/endpoints*', (route) =>
    ++asked === 1 ? route.fulfill({ status: 503, body: 'not now' }) : route.continue(),
  )
  await page.goto(at.url)
  await untilRowSays(page, 'j1', 'COMPLETED')
  const isAskedAgain = page.waitForResponse((answer) => answer.url().includes('/v1/endpoints'))
  await at.context.clock.fastForward(3000)
  expect((await isAskedAgain).status()).toBe(200)
  await liveMark(page).waitFor()
  await untilRowSays(page, 'j1', 'COMPLETED')
  await page.getByText('One job, no more').waitFor()
})

test('jobs that could not be listed at once are listed as soon as they can be', async () => {
  await using at = await pageGround()
  const script = await at.watch('j1', [aJob('j1'), aCompletedJob('j1')])
  script.next()
  await at.untilEvent('job.completed', 'j1')
  await at.context.route(/\/v1\/jobs\?limit=/, (route) => route.abort(), { times: 1 })
  const page = await at.open()
  await liveMark(page).waitFor()
  await untilRowSays(page, 'j1', 'COMPLETED')
})

test('what a job came to is read again when it could not be read at once', async () => {
  await using at = await pageGround()
  const script = await at.watch('j1', [aJob('j1'), aFailedJob('j1')])
  const page = await at.open('#/jobs/prod/j1')
  await liveMark(page).waitFor()
  await untilTimelineIsWhole(at, page, 'j1')
  for (const path of [/\/v1\/events\?jobid=/, /\/v1\/deliveries\?/]) {
    await page.route(path, (route) => route.fulfill({ status: 503, body: '' }), { times: 1 })
  }
  script.next()
  await at.untilEvent('job.failed', 'j1')
  await untilTimelineIsWhole(at, page, 'j1')
  await page.getByText('on-call told').waitFor()
})

test('a machine that is back in its network need not wait for the next try', async () => {
  await using at = await pageGround()
  await at.context.clock.install()
  const page = await at.open()
  await untilSettled(page)
  await at.context.setOffline(true)
  await at.kill()
  await page.getByText('Reconnecting …').waitFor()
  await at.start()
  // No timer runs out from here on.
  await at.context.clock.pauseAt(Date.now() + 5000)
  await at.context.setOffline(false)
  await liveMark(page).waitFor()
  await untilStreams(at, 1)
})

test(
  'daemons that are killed again and again lose no tab anything',
  { timeout: 60_000 },
  async () => {
    await using at = await pageGround()
    const tabs = [await at.open(), await at.open(), await at.open('#/jobs/prod/j0')]
    for (const tab of tabs) await liveMark(tab).waitFor()
    const jobids = Array.from({ length: 12 }, (_, index) => `j${index}`)
    const [first = ''] = jobids
    const scripts = []
    for (const jobid of jobids) {
      scripts.push(await at.watch(jobid, [aJob(jobid), aCompletedJob(jobid)]))
      if (scripts.length % 4 !== 0) continue
      for (const script of scripts.slice(-3)) script.next()
      await at.kill()
      await at.start()
    }
    for (const script of scripts.filter((_, index) => index % 4 === 0)) script.next()
    for (const jobid of jobids) await at.untilEvent('job.completed', jobid)
    const [list, other, job] = tabs
    if (list === undefined || other === undefined || job === undefined) throw new Error('three')
    for (const tab of [list, other]) {
      for (const jobid of jobids) await untilRowSays(tab, jobid, 'COMPLETED')
      await liveMark(tab).waitFor()
      expect(await rows(tab).count()).toBe(jobids.length)
    }
    await untilTimelineIsWhole(at, job, first)
    await untilStreams(at, 1)
  },
)
