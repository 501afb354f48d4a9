import Database from 'better-sqlite3'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { EventList } from '../../src/http/schemas.ts'
import { aCompletedJob, aFailedJob, aJob, pageGround } from './ground.ts'
import type { PageGround } from './ground.ts'
import { openGateway } from './gateway.ts'
import {
  liveMark,
  row,
  rows,
  timeline,
  untilRowSays,
  untilStreams,
  untilTimelineIsWhole,
} from './shown.ts'
import { hide, show } from './visibility.ts'

/** Registers a job that has ended before anybody looks. */
async function watchEnded(at: PageGround, jobid: string): Promise<void> {
  await at.watch(jobid, [aCompletedJob(jobid)])
  await at.untilEvent('job.completed', jobid)
}

/** Has another daemon, which knows nothing of the first, take its place. */
async function replace(at: PageGround): Promise<void> {
  await at.kill()
  await at.start({ database: join(at.folder, 'another.db') })
}

test('of a daemon with another log the page shows what that one knows, and nothing else', async () => {
  await using at = await pageGround()
  await using gateway = await openGateway(at.url)
  await at.watch('old-1', [aJob('old-1')])
  await watchEnded(at, 'old-2')
  const page = await at.open('#/', gateway.url)
  await liveMark(page).waitFor()
  for (const jobid of ['old-1', 'old-2']) await row(page, jobid).waitFor()
  gateway.refuse(502)
  await page.getByText('Reconnecting …').waitFor()
  await replace(at)
  await watchEnded(at, 'new-1')
  const script = await at.watch('new-2', [aJob('new-2'), aFailedJob('new-2')])
  gateway.mend()
  await untilRowSays(page, 'new-1', 'COMPLETED')
  await untilRowSays(page, 'new-2', 'EXECUTING')
  expect(await rows(page).count()).toBe(2)
  await liveMark(page).waitFor()
  script.next()
  await untilRowSays(page, 'new-2', 'FAILED')
  expect(await page.getByText('old-').count()).toBe(0)
  await untilStreams(at, 1)
})

test('a job that only the log before knew is no longer shown', async () => {
  await using at = await pageGround()
  await at.watch('old', [aJob('old')])
  const page = await at.open('#/jobs/prod/old')
  await page.getByRole('heading', { name: 'job old' }).waitFor()
  await liveMark(page).waitFor()
  await replace(at)
  await page.getByRole('heading', { name: 'old', exact: true }).waitFor()
  await liveMark(page).waitFor()
  expect(await page.getByRole('heading', { name: 'job old' }).count()).toBe(0)
})

test('all tabs come over to the other log, the hidden ones as they are shown', async () => {
  await using at = await pageGround()
  await at.watch('old', [aJob('old')])
  const first = await at.open()
  await liveMark(first).waitFor()
  const others = [await at.open(), await at.open()]
  const hidden = await at.open()
  for (const page of [...others, hidden]) await row(page, 'old').waitFor()
  await hide(hidden)
  await replace(at)
  const script = await at.watch('new', [aJob('new'), aFailedJob('new')])
  for (const page of [first, ...others]) {
    await row(page, 'new').waitFor()
    await liveMark(page).waitFor()
    expect(await rows(page).count()).toBe(1)
  }
  await row(hidden, 'old').waitFor()
  await show(hidden)
  script.next()
  for (const page of [first, ...others, hidden]) await untilRowSays(page, 'new', 'FAILED')
  expect(await rows(hidden).count()).toBe(1)
  await untilStreams(at, 1)
})

test('events that went before the page came to read them leave no job as it was', async () => {
  await using at = await pageGround()
  await using gateway = await openGateway(at.url)
  const script = await at.watch('j1', [aJob('j1'), aFailedJob('j1')])
  const list = await at.open('#/', gateway.url)
  await liveMark(list).waitFor()
  await row(list, 'j1').waitFor()
  const job = await at.open('#/jobs/prod/j1', gateway.url)
  await liveMark(job).waitFor()
  gateway.refuse(502)
  await list.getByText('Reconnecting …').waitFor()
  script.next()
  await at.untilEvent('job.failed', 'j1')
  await watchEnded(at, 'j2')
  const { newest } = (await at.call('/v1/events?last=1')).json as EventList
  await at.kill()
  const db = new Database(at.settings.database)
  db.exec('DELETE FROM attempts; DELETE FROM deliveries')
  db.prepare('DELETE FROM events WHERE seq < ?').run(newest)
  db.close()
  await at.start()
  gateway.mend()
  await untilRowSays(list, 'j1', 'FAILED')
  await untilRowSays(list, 'j2', 'COMPLETED')
  expect(await rows(list).count()).toBe(2)
  await job.getByText('Why The disk is full.').waitFor()
  await at.watch('j3', [aJob('j3')])
  await row(list, 'j3').waitFor()
  await liveMark(job).waitFor()
  expect(await timeline(job).count()).toBe(0)
  await job.goto(`${gateway.url}/#/jobs/prod/j3`)
  await untilTimelineIsWhole(at, job, 'j3')
})
