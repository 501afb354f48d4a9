// Makes the pictures of docs/pictures/: the page and `jobwatch wait` before the demo, and what jobwatch
// really sends, shown about as Slack and Teams show it, and a mail as it is.
//   node scripts/pictures.mjs
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { startDemo, untilJob } from './pictures/demo.mjs'
import { drawEmoji, withEmoji } from './pictures/emoji.mjs'
import { slackPage } from './pictures/slack-page.mjs'
import { teamsPage } from './pictures/teams-page.mjs'
import { screenOf } from './pictures/terminal.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'docs', 'pictures')
execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), '--if-needed'])
const { formats } = await import('../dist/notify/registry.js')
const { failed, unreachable, surroundings } = await import('./pictures/occasions.mjs')

const payload = (format, event) => JSON.parse(formats[format].request(event, surroundings).body)
const pages = {
  slack: slackPage([payload('slack', failed), payload('slack', unreachable)]),
  teams: teamsPage([payload('teams', failed), payload('teams', unreachable)]),
  email: formats.email.request(failed, surroundings).html,
}

mkdirSync(folder, { recursive: true })
const browser = await chromium.launch({
  executablePath: await browserPath(),
  args: ['--no-sandbox'],
})
try {
  for (const [name, html] of Object.entries(pages)) await picture(name, html)
  await picturesOfDemo()
} finally {
  await browser.close()
}

async function picturesOfDemo() {
  const main = join(root, 'dist', 'main.js')
  const demo = await startDemo(main)
  try {
    const { url } = demo
    await picture('wait', await waitScreen(main, url), 860)
    const failed = await untilJob(url, ({ outcome }) => outcome === 'error')
    await pageView('page', `${url}/#/`, '.attention .told-one')
    await pageView('job', `${url}/#/jobs/${failed.upstream}/${failed.jobid}`, '.whom')
  } finally {
    await demo.stop()
  }
}

/** Three jobs that run, as the command shows them when the first of them has ended. */
async function waitScreen(main, url) {
  const wanted = ['nightly backup', 'editContainerRegistry default', 'edit services']
  const jobs = await Promise.all(
    wanted.map((title) => untilJob(url, (job) => job.title.startsWith(title))),
  )
  const jobids = jobs.map(({ jobid }) => jobid)
  return screenOf(process.execPath, [main, 'wait', ...jobids], {
    cols: 92,
    rows: 12,
    env: { JOBWATCH_URL: url },
    fits: (lines) => lines.some((line) => line.includes('COMPLETED')),
  })
}

/** A view of the page in light and in dark, as it is once `ready` is there. */
async function pageView(name, address, ready) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({
      viewport: { width: 1180, height: 618 },
      deviceScaleFactor: 1.5,
      colorScheme,
      // What draws the emoji is a style in the page, which the page itself would refuse.
      bypassCSP: true,
    })
    const page = await context.newPage()
    await page.goto(address)
    await page.locator(ready).first().waitFor()
    await drawEmoji(page)
    const path = join(folder, `${name}-${colorScheme}.png`)
    await page.screenshot({ path })
    console.log(path)
    await context.close()
  }
}

async function picture(name, html, width = 640) {
  const page = await browser.newPage({
    viewport: { width, height: 100 },
    deviceScaleFactor: 1.5,
  })
  await page.setContent(withEmoji(html))
  await page.addStyleTag({ content: `body { margin: 0 } ${fonts()}` })
  await page.evaluate('document.fonts.ready')
  const path = join(folder, `${name}.png`)
  await page.screenshot({ path, fullPage: true })
  console.log(path)
}

/** The system's Chromium, else the one that an npm package ships for Linux. */
async function browserPath() {
  const system = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  const { default: shipped } = await import('@sparticuz/chromium')
  return system.find((path) => existsSync(path)) ?? shipped.executablePath()
}

/** The shipped browser brings a font along, which is nicer than most that servers have. */
function fonts() {
  const faces = [
    ['Regular', 'normal'],
    ['Bold', 'bold'],
  ].map(([style, weight]) => {
    const path = join(tmpdir(), 'fonts', 'fonts', 'Open_Sans', `OpenSans-${style}.ttf`)
    const source = existsSync(path)
      ? `url(data:font/ttf;base64,${readFileSync(path).toString('base64')})`
      : 'local("sans-serif")'
    return ['Sans', 'Segoe UI'].map(
      (family) => `@font-face { font-family: '${family}'; font-weight: ${weight}; src: ${source} }`,
    )
  })
  return faces.flat().join('\n')
}
