import { expect, test } from 'vitest'
import type { Locator, Page } from 'playwright-core'
import { barriers } from './axe.ts'
import { expectNoSidewaysScroll, fill, filledViews, openView, patientDelivery } from './filled.ts'
import { aFailedJob, aJob, pageGround, withTokens } from './ground.ts'

const sizes = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
]
const looks = sizes.flatMap((viewport) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ viewport, colorScheme })),
)

/** Each dialog: where it is, and the button that opens it. */
const dialogs = [
  { hash: '#/jobs/prod/run', button: 'Label and tags …' },
  { hash: '#/jobs/prod/run', button: 'Stop watching …' },
  { hash: '#/endpoints', button: 'Replay …' },
  { hash: '#/endpoints', button: 'Disable …' },
  { hash: '#/endpoints', button: 'Add an endpoint …' },
]

test.each(looks)(
  'has no barriers on any view or dialog, nor scrolls sideways: $viewport.width px, $colorScheme',
  async ({ viewport, colorScheme }) => {
    await using at = await pageGround({
      config: patientDelivery,
      browser: { viewport, colorScheme },
    })
    await fill(at)
    const page = await at.open()
    for (const view of filledViews) {
      await openView(at, page, view)
      expect.soft(await barriers(page), view.name).toEqual([])
      await expectNoSidewaysScroll(page, view.name)
    }
    await page.goto(`${at.url}/#/?q=nothing+has+this`)
    await page.getByText('No job fits these filters.').waitFor()
    expect.soft(await barriers(page), 'an empty list').toEqual([])
    for (const { hash, button } of dialogs) {
      await page.goto(`${at.url}/${hash}`)
      await page.getByRole('button', { name: button }).first().click()
      await page.getByRole('dialog').waitFor()
      expect.soft(await barriers(page), button).toEqual([])
      await expectNoSidewaysScroll(page, button)
      await page.keyboard.press('Escape')
      await page.locator('dialog').waitFor({ state: 'detached' })
    }
  },
  120_000,
)

test.each(looks)(
  'has no barriers at the sign-in: $viewport.width px, $colorScheme',
  async ({ viewport, colorScheme }) => {
    await using at = await pageGround({ config: withTokens, browser: { viewport, colorScheme } })
    const page = await at.open()
    await page.getByLabel('Token').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('none of those').waitFor()
    expect(await barriers(page)).toEqual([])
    await expectNoSidewaysScroll(page, 'sign-in')
  },
)

test('leads by keyboard from the top to a job, and tells by focus where it has led', async () => {
  await using at = await pageGround({ config: patientDelivery })
  await fill(at)
  const page = await at.open()
  await page.getByText('3 jobs, no more').waitFor()
  const names: string[] = []
  for (let step = 0; step < 30; step++) {
    await page.keyboard.press('Tab')
    names.push(await focusedName(page))
    if (names.at(-1) === 'job run') break
  }
  const order = ['Skip to the content', 'jobwatch', 'Jobs', 'Endpoints', 'Upstreams', 'job run']
  const places = order.map((name) => names.findIndex((one) => one.startsWith(name)))
  expect(places, names.join(' | ')).not.toContain(-1)
  expect(places).toEqual(places.toSorted((a, b) => a - b))
  expect(names.indexOf('Watch a job: paste its URL or id')).toBeLessThan(names.indexOf('job run'))
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'job run', level: 1 }).waitFor()
  await page.locator('h1:focus').waitFor()

  await page.keyboard.press('Tab')
  expect(await focusedName(page)).toBe('Poll now')
  await page.getByRole('link', { name: 'Endpoints' }).focus()
  await page.keyboard.press('Enter')
  await page.locator('h1:focus').getByText('Endpoints').waitFor()
})

test('skips to the content, and opens a delivery by keyboard', async () => {
  await using at = await pageGround({ config: patientDelivery })
  await fill(at)
  const page = await at.open('#/jobs/prod/bad')
  await page.locator('summary').waitFor()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.locator('main:focus').waitFor()
  await page.keyboard.press('Tab')
  expect(await focusedName(page)).toBe('← Jobs')
  await page.locator('summary').focus()
  await page.keyboard.press('Enter')
  await page.getByText('The queue of the receiver is full.').waitFor()
  await page.keyboard.press('Tab')
  expect(await focusedName(page)).toBe('Send now')
})

test.each(dialogs)(
  'keeps the focus in the dialog of "$button" and gives it back',
  async ({ hash, button: name }) => {
    await using at = await pageGround({ config: patientDelivery })
    await fill(at)
    const page = await at.open(hash)
    // By role a dialog is gone a little before the page has heard of it.
    const dialog = page.locator('dialog')
    const button = page.getByRole('button', { name }).first()
    const close = dialog.getByRole('button', { name: /^(Cancel|Keep)/ })
    for (const end of ['Escape', 'button']) {
      await button.focus()
      await page.keyboard.press('Enter')
      await dialog.waitFor()
      const inside = new Set<string>()
      for (let step = 0; step < 12; step++) {
        await page.keyboard.press('Tab')
        // Between the last and the first the browser's own bars have their turn.
        const where = await page.evaluate<string>(
          `document.activeElement.closest('dialog') ? 'dialog' : document.activeElement.tagName`,
        )
        inside.add(where)
      }
      expect([...inside].filter((where) => where !== 'BODY')).toEqual(['dialog'])
      if (end === 'Escape') await page.keyboard.press('Escape')
      else {
        await close.focus()
        await page.keyboard.press('Enter')
      }
      await dialog.waitFor({ state: 'detached' })
      await expectFocused(button)
    }
  },
)

test.each(sizes)('does not jump while it loads: $width px', async (viewport) => {
  await using at = await pageGround({ config: patientDelivery, browser: { viewport } })
  await fill(at)
  for (const view of filledViews) {
    const page = await at.open(view.hash)
    await view.ready(page).waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    expect.soft(await shiftOf(page), view.name).toBeLessThan(0.1)
    await page.close()
  }
})

test.each(sizes)('does not jump when something happens: $width px', async (viewport) => {
  await using at = await pageGround({ config: patientDelivery, browser: { viewport } })
  await fill(at)
  const script = await at.watch('next', [
    aJob('next'),
    aJob('next', { messages: ['Started.', 'Half of it is done.'] }),
    aFailedJob('next'),
  ])
  const list = await at.open()
  await list.getByText('4 jobs, no more').waitFor()
  const one = await at.open('#/jobs/prod/next')
  await one.getByRole('heading', { name: 'What happened' }).waitFor()
  for (const tab of [list, one]) {
    await tab.getByText('Live', { exact: true }).waitFor()
  }
  const happenings: [string, () => Promise<unknown>][] = [
    [
      'a message',
      async () => {
        script.next()
        await one.locator('.messages').getByText('Half of it is done.').waitFor()
      },
    ],
    [
      'a new job',
      async () => {
        await at.watch('newest', [aJob('newest')])
        await list.getByRole('link', { name: 'job newest' }).waitFor()
      },
    ],
    [
      'a failure',
      async () => {
        script.next()
        await one.getByText(/Who was told .*not told yet/).waitFor()
        await list.locator('.told', { hasText: 'not told yet' }).nth(1).waitFor()
      },
    ],
  ]
  let before = { list: await shiftOf(list), one: await shiftOf(one) }
  for (const [name, happen] of happenings) {
    await happen()
    const after = { list: await shiftOf(list), one: await shiftOf(one) }
    // A failure brings what was not there before, and to the top, where it is looked for first.
    const most = name === 'a failure' ? 0.25 : 0.1
    expect.soft(after.list - before.list, `the list at ${name}`).toBeLessThan(most)
    expect.soft(after.one - before.one, `the job at ${name}`).toBeLessThan(most)
    before = after
  }
})

test.each([
  { reducedMotion: 'reduce', moves: false },
  { reducedMotion: 'no-preference', moves: true },
] as const)(
  'moves for whoever likes it, and nobody else: $reducedMotion',
  async ({ reducedMotion, moves }) => {
    await using at = await pageGround({ browser: { reducedMotion } })
    const page = await at.open()
    await page.getByText('No job is registered yet').waitFor()
    // Parts of a progress bar tell no script how they look: the rules that apply do.
    const moving = await page.evaluate<string[]>(`(() => {
    const applied = ({ cssRules }) => [...cssRules].flatMap((rule) =>
      rule.media === undefined ? [rule] : matchMedia(rule.media.mediaText).matches ? applied(rule) : [])
    return [...document.styleSheets].flatMap(applied).map(({ cssText }) => cssText)
      .filter((text) => /(transition|animation)[-a-z]*:|scroll-behavior: smooth/.test(text))
  })()`)
    expect(moving.length > 0, moving.join()).toBe(moves)
  },
)

async function expectFocused(button: Locator): Promise<void> {
  expect(await button.and(button.page().locator(':focus')).count()).toBe(1)
}

/** What whoever reads by ear is told of the element that has the focus, roughly. */
function focusedName(page: Page): Promise<string> {
  return page.evaluate<string>(`(() => {
    const { activeElement: own } = document
    return (own.getAttribute('aria-label') ?? own.placeholder ?? own.textContent).trim()
  })()`)
}

/** The cumulative layout shift so far, as browsers count it but for its windows: all of it. */
function shiftOf(page: Page): Promise<number> {
  return page.evaluate<number>(`new Promise((resolve) => {
    new PerformanceObserver((list, observer) => {
      observer.disconnect()
      resolve(sum(list.getEntries()))
    }).observe({ type: 'layout-shift', buffered: true })
    const sum = (entries) =>
      entries.reduce((all, { value, hadRecentInput }) => all + (hadRecentInput ? 0 : value), 0)
    // Without any entry the observer is never called.
    requestAnimationFrame(() => setTimeout(() => resolve(0), 200))
  })`)
}
