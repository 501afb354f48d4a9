import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { aCompletedJob, aFailedJob, aJob, pageGround } from './ground.ts'
import type { PageGround } from './ground.ts'
import { liveMark, row, rows, untilRowSays, untilSettled, untilStreams } from './shown.ts'
import { hide, openHidden, show } from './visibility.ts'

/** Opens tabs one after another: the first holds the stream. */
async function openTabs(at: PageGround, count: number): Promise<Page[]> {
  const tabs: Page[] = []
  while (tabs.length < count) {
    const page = await at.open()
    await untilSettled(page)
    tabs.push(page)
  }
  return tabs
}

/** How often browsers have asked for a stream since this was called. */
function streamRequests(at: PageGround): () => number {
  let count = 0
  at.context.on('request', (request) => {
    if (request.url().includes('/v1/events/stream')) count++
  })
  return () => count
}

/** Something that does none of its work takes the place of the tab that leads. */
async function takeLead(at: PageGround): Promise<Page> {
  const thief = await at.context.newPage()
  await thief.goto(`${at.url}/favicon.svg`)
  await thief.evaluate(`new Promise((isHeld) => {
    const keep = () => new Promise(() => isHeld())
    navigator.locks.request('jobwatch-stream', { steal: true }, keep).catch(() => undefined)
  })`)
  return thief
}

/** Puts the clock of all tabs forward. */
function passTime(at: PageGround, ms: number): Promise<void> {
  return at.context.clock.fastForward(ms)
}

test('more tabs than a browser has connections all follow, by one stream', async () => {
  await using at = await pageGround()
  const countStreams = streamRequests(at)
  const tabs = await openTabs(at, 7)
  const script = await at.watch('j1', [aJob('j1'), aFailedJob('j1')])
  for (const tab of tabs) await untilRowSays(tab, 'j1', 'EXECUTING')
  script.next()
  for (const tab of tabs) await untilRowSays(tab, 'j1', 'FAILED')
  for (const tab of tabs) expect(await rows(tab).count()).toBe(1)
  expect(countStreams()).toBe(1)
  expect(await at.openStreams()).toBe(1)
})

test('when the tab that holds the stream is closed another takes over, and misses nothing', async () => {
  await using at = await pageGround()
  const [leader, ...others] = await openTabs(at, 4)
  const during = ['a', 'b', 'c', 'd', 'e', 'f']
  await Promise.all([
    leader?.close(),
    ...during.map(async (jobid) => {
      const script = await at.watch(jobid, [aJob(jobid), aCompletedJob(jobid)])
      script.next()
    }),
  ])
  for (const tab of others) {
    for (const jobid of during) await untilRowSays(tab, jobid, 'COMPLETED')
    await liveMark(tab).waitFor()
    expect(await rows(tab).count()).toBe(during.length)
  }
  await untilStreams(at, 1)
  const script = await at.watch('after', [aJob('after'), aFailedJob('after')])
  script.next()
  for (const tab of others) await untilRowSays(tab, 'after', 'FAILED')
})

test('tabs may close one after another: the last one still follows', async () => {
  await using at = await pageGround()
  const tabs = await openTabs(at, 4)
  const last = tabs.pop()
  for (const tab of tabs) {
    await tab.close()
    await untilStreams(at, 1)
  }
  if (last === undefined) throw new Error('four were opened')
  await at.watch('j1', [aJob('j1')])
  await row(last, 'j1').waitFor()
})

test('when the tab that holds the stream crashes another takes over', async () => {
  await using at = await pageGround()
  const [leader, other] = await openTabs(at, 2)
  if (leader === undefined || other === undefined) throw new Error('two were opened')
  const hasCrashed = leader.waitForEvent('crash')
  await leader.goto('chrome://crash').catch(() => undefined)
  await hasCrashed
  await at.watch('j1', [aJob('j1')])
  await row(other, 'j1').waitFor()
  await untilStreams(at, 1)
})

test('a tab that is opened behind another holds no stream until it is shown', async () => {
  await using at = await pageGround()
  await openHidden(at.context)
  const page = await at.open()
  await page.getByText('No job is registered yet').waitFor()
  await at.watch('j1', [aJob('j1')])
  expect(await at.openStreams()).toBe(0)
  await show(page)
  await row(page, 'j1').waitFor()
  await liveMark(page).waitFor()
  await untilStreams(at, 1)
})

test('a tab that is shown again does not call itself live before it is', async () => {
  await using at = await pageGround()
  const page = await at.open()
  await untilSettled(page)
  await hide(page)
  await page.route('**/v1/**', () => undefined)
  await show(page)
  await page.getByText('Connecting …').waitFor()
  await page.unrouteAll()
})

test('a hidden tab holds no stream; shown again it has all that happened, and one', async () => {
  await using at = await pageGround()
  const script = await at.watch('j1', [aJob('j1'), aCompletedJob('j1')])
  const [tab] = await openTabs(at, 1)
  if (tab === undefined) throw new Error('one was opened')
  await row(tab, 'j1').waitFor()
  await hide(tab)
  await untilStreams(at, 0)
  script.next()
  await at.untilEvent('job.completed', 'j1')
  await at.watch('j2', [aJob('j2')])
  await untilRowSays(tab, 'j1', 'EXECUTING')
  await show(tab)
  await untilRowSays(tab, 'j1', 'COMPLETED')
  await row(tab, 'j2').waitFor()
  await liveMark(tab).waitFor()
  expect(await rows(tab).count()).toBe(2)
  await untilStreams(at, 1)
})

test('a tab that was hidden while another held the stream catches up without one of its own', async () => {
  await using at = await pageGround()
  const countStreams = streamRequests(at)
  const tabs = await openTabs(at, 2)
  const [leader, follower] = tabs
  if (leader === undefined || follower === undefined) throw new Error('two were opened')
  const script = await at.watch('j1', [aJob('j1'), aCompletedJob('j1')])
  await row(follower, 'j1').waitFor()
  await hide(follower)
  script.next()
  await untilRowSays(leader, 'j1', 'COMPLETED')
  await untilRowSays(follower, 'j1', 'EXECUTING')
  await show(follower)
  await untilRowSays(follower, 'j1', 'COMPLETED')
  await at.watch('j2', [aJob('j2')])
  for (const tab of tabs) await row(tab, 'j2').waitFor()
  expect(countStreams()).toBe(1)
})

test.each([
  // The leader tells that all is well now and then.
  ['as soon as it hears how far others are', (at: PageGround) => passTime(at, 10_000)],
  ['as soon as something else happens', (at: PageGround) => at.watch('j2', [aJob('j2')])],
])('a tab that could not read what it had missed does so %s', async (_, goOn) => {
  await using at = await pageGround()
  await at.context.clock.install()
  const [leader, follower] = await openTabs(at, 2)
  if (leader === undefined || follower === undefined) throw new Error('two were opened')
  const script = await at.watch('j1', [aJob('j1'), aCompletedJob('j1')])
  await row(follower, 'j1').waitFor()
  await hide(follower)
  script.next()
  await untilRowSays(leader, 'j1', 'COMPLETED')
  await follower.route(/\/v1\/events\?after=/, (route) => route.abort(), { times: 1 })
  await show(follower)
  await follower.getByText('Reconnecting …').waitFor()
  await goOn(at)
  await untilRowSays(follower, 'j1', 'COMPLETED')
  // Sooner than the leader tells it anyway.
  await liveMark(follower).waitFor({ timeout: 5000 })
})

test('a tab that hears nothing from the one that leads takes its place', async () => {
  await using at = await pageGround()
  await at.context.clock.install()
  await takeLead(at)
  const tab = await at.open()
  await untilSettled(tab)
  await at.watch('j1', [aJob('j1')])
  expect(await at.openStreams()).toBe(0)
  await passTime(at, 50_000)
  await row(tab, 'j1').waitFor()
  await liveMark(tab).waitFor()
  await untilStreams(at, 1)
})

test('a tab whose place was taken gives its stream up, and takes the place again when it is free', async () => {
  await using at = await pageGround()
  const [tab] = await openTabs(at, 1)
  if (tab === undefined) throw new Error('one was opened')
  await untilStreams(at, 1)
  const thief = await takeLead(at)
  await untilStreams(at, 0)
  await at.watch('j1', [aJob('j1')])
  await thief.close()
  await row(tab, 'j1').waitFor()
  await untilStreams(at, 1)
})

test('where browsers lend out no locks each tab has its own stream, and gives it up when hidden', async () => {
  await using at = await pageGround()
  await at.context.addInitScript('delete Navigator.prototype.locks')
  const tabs = await openTabs(at, 2)
  await untilStreams(at, 2)
  const script = await at.watch('j1', [aJob('j1'), aCompletedJob('j1')])
  for (const tab of tabs) await row(tab, 'j1').waitFor()
  const [first, second] = tabs
  if (first === undefined || second === undefined) throw new Error('two were opened')
  await hide(first)
  await untilStreams(at, 1)
  script.next()
  await untilRowSays(second, 'j1', 'COMPLETED')
  await show(first)
  await untilRowSays(first, 'j1', 'COMPLETED')
  await untilStreams(at, 2)
})
