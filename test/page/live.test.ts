import { expect, test } from 'vitest'
import { aCompletedJob, aFailedJob, aJob, pageGround } from './ground.ts'
import { liveMark, row, rows, untilRowSays, untilTimelineIsWhole } from './shown.ts'

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

const stages = (copying: string, cleaning: string) => ({
  progress: {
    stages: [
      { name: 'copying', state: copying },
      { name: 'cleaning', state: cleaning },
    ],
  },
})

test('the list moves with the stages of a job, in one row', async () => {
  await using at = await pageGround()
  const page = await at.open()
  await liveMark(page).waitFor()
  const moving = aJob('j1', stages('Completed', 'In Progress'))
  const script = await at.watch('j1', [aJob('j1'), moving, aCompletedJob('j1')])
  await untilRowSays(page, 'j1', '0/2')
  await untilRowSays(page, 'j1', 'copying')
  script.next()
  await untilRowSays(page, 'j1', '1/2')
  await untilRowSays(page, 'j1', 'cleaning')
  script.next()
  await untilRowSays(page, 'j1', 'COMPLETED')
  await untilRowSays(page, 'j1', '2/2')
  expect(await rows(page).count()).toBe(1)
})

test('the view of a job moves with it, and lists each event once', async () => {
  await using at = await pageGround()
  const moving = aJob('j1', {
    ...stages('Completed', 'In Progress'),
    messages: ['Started.', 'On.'],
  })
  const script = await at.watch('j1', [aJob('j1'), moving, aFailedJob('j1')])
  const page = await at.open('#/jobs/prod/j1')
  await page.getByRole('heading', { name: 'job j1' }).waitFor()
  await liveMark(page).waitFor()
  await untilTimelineIsWhole(at, page, 'j1')
  script.next()
  await at.untilEvent('job.stage.changed', 'j1')
  await page.getByText('1/2').waitFor()
  await untilTimelineIsWhole(at, page, 'j1')
  script.next()
  await page.getByText('Why The disk is full.').waitFor()
  await untilTimelineIsWhole(at, page, 'j1')
})

test('many jobs at once are one row each, as they are in the end', async () => {
  await using at = await pageGround()
  const page = await at.open()
  await liveMark(page).waitFor()
  const jobids = Array.from({ length: 30 }, (_, index) => `many-${index}`)
  await Promise.all(
    jobids.map(async (jobid) => {
      const script = await at.watch(jobid, [aJob(jobid), aCompletedJob(jobid)])
      script.next()
      await at.untilEvent('job.completed', jobid)
    }),
  )
  for (const jobid of jobids) await untilRowSays(page, jobid, 'COMPLETED')
  expect(await rows(page).count()).toBe(jobids.length)
})

test('a page that is opened later shows the same as one that was there from the beginning', async () => {
  await using at = await pageGround()
  const early = await at.open()
  await liveMark(early).waitFor()
  const script = await at.watch('j1', [aJob('j1'), aCompletedJob('j1')])
  script.next()
  await at.watch('j2', [aJob('j2')])
  await untilRowSays(early, 'j1', 'COMPLETED')
  const late = await at.open()
  await untilRowSays(late, 'j1', 'COMPLETED')
  await row(late, 'j2').waitFor()
  const titles = (page: typeof early) => rows(page).getByRole('link').allTextContents()
  expect(await titles(late)).toEqual(await titles(early))
})
