import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { aCompletedJob, aFailedJob, aJob, pageGround } from './ground.ts'
import type { PageGround } from './ground.ts'
import { liveMark, patience, row, untilRowSays, untilSettled, untilStreams } from './shown.ts'
import { hide, show } from './visibility.ts'

const minute = 60_000

function untilTitle(page: Page, title: string): Promise<void> {
  return expect.poll(() => page.title(), patience).toBe(title)
}

/** Registers a job that fails at once. */
async function fail(at: PageGround, jobid: string): Promise<void> {
  await at.watch(jobid, [aFailedJob(jobid)])
  await at.untilEvent('job.failed', jobid)
}

/** A page that is live, on a clock that the test may put forward. */
async function openOnClock(at: PageGround): Promise<Page> {
  await at.context.clock.install()
  const page = await at.open()
  await untilSettled(page)
  return page
}

/** Keeps what the page shows as notifications; returns how to ask for their titles. */
async function recordNotes(at: PageGround): Promise<(page: Page) => Promise<string[]>> {
  await at.context.addInitScript(`
    window.notes = []
    window.Notification = new Proxy(Notification, {
      construct(target, args) {
        notes.push(args[0])
        window.lastNote = Reflect.construct(target, args)
        return window.lastNote
      },
    })
  `)
  return (page) => page.evaluate('notes')
}

function bell(page: Page) {
  return page.getByRole('button', { name: 'Notify me of failures' })
}

test('the title tells how many jobs run', async () => {
  await using at = await pageGround()
  const page = await at.open()
  await liveMark(page).waitFor()
  await untilTitle(page, 'jobwatch')
  const script = await at.watch('j1', [aJob('j1'), aCompletedJob('j1')])
  await at.watch('j2', [aJob('j2')])
  await untilTitle(page, '▶️ 2 · jobwatch')
  script.next()
  await untilTitle(page, '▶️ 1 · jobwatch')
})

test('the title of a hidden page tells of what failed, until somebody looks', async () => {
  await using at = await pageGround()
  const page = await openOnClock(at)
  await at.watch('runs', [aJob('runs')])
  await untilTitle(page, '▶️ 1 · jobwatch')
  await hide(page)
  await untilStreams(at, 0)
  await fail(at, 'j1')
  await at.context.clock.fastForward(minute)
  await untilTitle(page, '❌ 1 · jobwatch')
  await fail(at, 'j2')
  await at.context.clock.fastForward(minute)
  await untilTitle(page, '❌ 2 · jobwatch')
  expect(await at.openStreams()).toBe(0)
  await show(page)
  await untilTitle(page, '▶️ 1 · jobwatch')
  await untilRowSays(page, 'j2', 'FAILED')
})

test('a failure that somebody sees as it happens is not counted', async () => {
  await using at = await pageGround()
  const page = await at.open()
  await liveMark(page).waitFor()
  await fail(at, 'j1')
  await untilRowSays(page, 'j1', 'FAILED')
  expect(await page.title()).toBe('jobwatch')
})

test('a page that is hidden while it looks for the daemon goes on asking once a minute', async () => {
  await using at = await pageGround()
  const page = await openOnClock(at)
  let isAsked: () => void = () => undefined
  let letGo: () => void = () => undefined
  const asked = new Promise<void>((resolve) => (isAsked = resolve))
  const held = new Promise<void>((resolve) => (letGo = resolve))
  await page.route(/\/v1\/events\?last=1$/, async (route) => {
    isAsked()
    await held
    await route.abort()
  })
  await at.kill()
  await asked
  await hide(page)
  const isOver = page.waitForEvent('requestfailed')
  letGo()
  await isOver
  await at.start()
  await fail(at, 'j1')
  await at.context.clock.fastForward(minute)
  await untilTitle(page, '❌ 1 · jobwatch')
})

test('the browser notifies whoever allows it of a failure while they are away', async () => {
  await using at = await pageGround()
  const notes = await recordNotes(at)
  await at.context.grantPermissions(['notifications'])
  const page = await openOnClock(at)
  await bell(page).click()
  await page.getByRole('button', { name: 'Notify me of failures', pressed: true }).waitFor()
  await fail(at, 'seen')
  await untilRowSays(page, 'seen', 'FAILED')
  expect(await notes(page)).toEqual([])
  await hide(page)
  await fail(at, 'unseen')
  await at.watch('fine', [aCompletedJob('fine')])
  await at.untilEvent('job.completed', 'fine')
  await at.context.clock.fastForward(minute)
  await untilTitle(page, '❌ 1 · jobwatch')
  expect(await notes(page)).toEqual(['❌ failed: job unseen'])
  await show(page)
  await page.evaluate('lastNote.onclick()')
  await page.getByRole('heading', { name: 'job unseen' }).waitFor()
})

test('whoever has not asked for it is not notified', async () => {
  await using at = await pageGround()
  const notes = await recordNotes(at)
  await at.context.grantPermissions(['notifications'])
  const page = await openOnClock(at)
  await hide(page)
  await fail(at, 'j1')
  await at.context.clock.fastForward(minute)
  await untilTitle(page, '❌ 1 · jobwatch')
  expect(await notes(page)).toEqual([])
})

test('where the browser does not allow it nobody is notified, and the bell stays off', async () => {
  await using at = await pageGround()
  const notes = await recordNotes(at)
  const page = await openOnClock(at)
  await bell(page).click()
  await page.getByRole('button', { name: 'Notify me of failures', pressed: false }).waitFor()
  await hide(page)
  await fail(at, 'j1')
  await at.context.clock.fastForward(minute)
  await untilTitle(page, '❌ 1 · jobwatch')
  expect(await notes(page)).toEqual([])
})

test('what a page learns after a long absence is counted, and no longer news', async () => {
  await using at = await pageGround()
  const notes = await recordNotes(at)
  await at.context.grantPermissions(['notifications'])
  const page = await openOnClock(at)
  await bell(page).click()
  await page.getByRole('button', { name: 'Notify me of failures', pressed: true }).waitFor()
  await hide(page)
  await untilStreams(at, 0)
  await fail(at, 'j1')
  await at.context.clock.fastForward(11 * minute)
  await untilTitle(page, '❌ 1 · jobwatch')
  expect(await notes(page)).toEqual([])
  await show(page)
  await row(page, 'j1').waitFor()
})
