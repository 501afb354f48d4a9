import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { scenario } from '../../src/simulator/scenarios.ts'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { hasBrowser, openBrowser } from '../helpers/browser.ts'
import { serve, temporaryFolder } from '../helpers/daemon.ts'

const jobid = 'j2bcbcd49-83a4-4cc1-a034-40e4a266e96d'
const hostileName = '<img src=x onerror="document.title=\'owned\'"><b>bold</b>'

describe.skipIf(!hasBrowser)('the page', () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await openBrowser()
  }, 60_000)
  afterAll(() => browser.close())

  async function ground() {
    const folder = await temporaryFolder()
    const simulator = await startSimulator()
    const options = { jobid, startedAt: Date.now(), context: 'gis', username: 'siteadmin' }
    const documents = scenario('serviceEdit', options).map(({ body }) => ({
      ...(body as Record<string, unknown>),
      name: hostileName,
    }))
    const job = simulator.addScript(documents, { jobid })
    const config = {
      listen: '127.0.0.1:0',
      database: join(folder.path, 'jobwatch.db'),
      upstreams: [
        {
          name: 'prod',
          root: simulator.root,
          auth: { username: simulator.username, password: simulator.password },
          polling: { interval: '20ms', maxInterval: '50ms', rate: 1000 },
        },
      ],
    }
    return {
      job,
      config,
      folder: folder.path,
      async [Symbol.asyncDispose]() {
        await simulator.close()
        await folder[Symbol.asyncDispose]()
      },
    }
  }

  /** Opens the page and keeps what the browser complains of. */
  async function open(url: string): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(url)
    return { page, complaints }
  }

  async function register(url: string): Promise<void> {
    await fetch(`${url}/v1/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jobid }),
    })
  }

  test('shows a job as it is registered and as it ends, without a reload', async () => {
    await using at = await ground()
    await using daemon = await serve(at.config, at.folder)
    const { page, complaints } = await open(daemon.url)
    await page.getByText('No job is registered yet').waitFor()
    await page.getByText('Live').waitFor()
    await register(daemon.url)
    await page.getByText('EXECUTING').waitFor()
    at.job.next()
    await page.getByText('COMPLETED').waitFor()
    expect(await page.getByRole('row').count()).toBe(2)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('a job name that is HTML stays text', async () => {
    await using at = await ground()
    await using daemon = await serve(at.config, at.folder)
    await register(daemon.url)
    const { page, complaints } = await open(daemon.url)
    await page.getByText(hostileName).waitFor()
    expect(await page.locator('img, b').count()).toBe(0)
    expect(await page.title()).toBe('jobwatch')
    expect(complaints).toEqual([])
    await page.close()
  })

  test('goes on where it was after the daemon was killed and started again', async () => {
    await using at = await ground()
    const first = await serve(at.config, at.folder)
    await register(first.url)
    const { page } = await open(first.url)
    await page.getByText('EXECUTING').waitFor()
    await first.stop('SIGKILL')
    await page.getByText('Reconnecting').waitFor()
    at.job.next()
    await using second = await serve({ ...at.config, listen: new URL(first.url).host }, at.folder)
    await page.getByText('COMPLETED').waitFor()
    await page.getByText('Live').waitFor()
    expect(second.url).toBe(first.url)
    await page.close()
  })
})
