import type { BrowserContext, Page } from 'playwright-core'

/** Another tab, or another window, takes this one's place before the eyes of the person. */
export function hide(page: Page): Promise<void> {
  return page.evaluate(asIf(false))
}

/** It comes back. */
export function show(page: Page): Promise<void> {
  return page.evaluate(asIf(true))
}

/** Every tab from now on is opened behind the one before the eyes of the person. */
export function openHidden(context: BrowserContext): Promise<unknown> {
  return context.addInitScript(asIf(false))
}

/** Headless browsers hold every tab for visible and focused. */
function asIf(isVisible: boolean): string {
  return `{
    const value = ${isVisible}
    Object.defineProperty(document, 'hidden', { value: !value, configurable: true })
    Object.defineProperty(document, 'visibilityState', {
      value: value ? 'visible' : 'hidden',
      configurable: true,
    })
    document.hasFocus = () => value
    document.dispatchEvent(new Event('visibilitychange'))
  }`
}
