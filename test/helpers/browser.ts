import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import type { Browser } from 'playwright-core'

const systemBrowsers = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** A headless Chromium: the system's, else the one that an npm package ships for Linux. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = systemBrowsers.find((path) => existsSync(path)) ?? (await shippedBrowser())
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
}

async function shippedBrowser(): Promise<string> {
  const { default: shipped } = await import('@sparticuz/chromium')
  return shipped.executablePath()
}

/** Where neither is to be had, what needs a browser cannot be tested. */
export const hasBrowser =
  process.platform === 'linux' || systemBrowsers.some((path) => existsSync(path))
if (!hasBrowser) process.stderr.write('skipped: tests of the page need a Chromium\n')
