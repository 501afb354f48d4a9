import { useEffect, useRef, useState } from 'preact/hooks'
import type { EventAnswer } from '../http/schemas.ts'
import { hashOf } from './address.ts'
import { countRunning } from './job-list.ts'
import { usePage } from './page.ts'
import { useReadable } from './store.ts'

const settingName = 'jobwatch-notify'
/** What came while the page was away for long is in the list, and no longer news. */
const newsMs = 10 * 60_000

/** Tells of failures outside of the page: in its title, and by the browser where the person allows it. */
export function Alarm() {
  const { live } = usePage()
  const [isOn, setIsOn] = useState(isAllowed() && localStorage.getItem(settingName) === 'yes')
  const [unseen, setUnseen] = useState(0)
  const running = countRunning(useReadable(live.jobs) ?? new Map())
  const isOnNow = useRef(isOn)
  isOnNow.current = isOn

  useEffect(
    () =>
      live.onEvents((events) => {
        const failed = events.filter(({ type }) => type === 'job.failed' || type === 'job.lost')
        if (failed.length === 0 || !isAway()) return
        setUnseen((count) => count + failed.length)
        if (!isOnNow.current) return
        for (const event of failed) {
          if (live.now() - Date.parse(event.time) < newsMs) notify(event)
        }
      }),
    [live],
  )
  useEffect(() => {
    const seen = () => {
      if (!isAway()) setUnseen(0)
    }
    document.addEventListener('visibilitychange', seen)
    window.addEventListener('focus', seen)
    return () => {
      document.removeEventListener('visibilitychange', seen)
      window.removeEventListener('focus', seen)
    }
  }, [])
  useEffect(() => {
    document.title = titleOf(unseen, running)
  }, [unseen, running])

  async function toggle(): Promise<void> {
    const next = !isOn && (await Notification.requestPermission()) === 'granted'
    localStorage.setItem(settingName, next ? 'yes' : 'no')
    setIsOn(next)
  }

  // Browsers show notifications of secure pages only: https, or this machine.
  if (!('Notification' in window) || !window.isSecureContext) return null
  return (
    <button
      type="button"
      class="quiet"
      aria-pressed={isOn}
      onClick={() => void toggle()}
      title="Let the browser notify you when a job fails or is lost"
    >
      <Bell isOn={isOn} />
      <span class="unseen">Notify me of failures</span>
    </button>
  )
}

/** Drawn, since a sign that stands alone must be there on every machine. */
function Bell({ isOn }: { readonly isOn: boolean }) {
  return (
    <svg class="bell" viewBox="0 0 20 20" aria-hidden="true">
      <path d="M10 2.5a4.5 4.5 0 0 0-4.5 4.5v3.5L4 13.5h12l-1.5-3V7A4.5 4.5 0 0 0 10 2.5z" />
      <path d="M8.5 16.5a1.7 1.7 0 0 0 3 0" />
      {!isOn && <path d="M3 3l14 14" />}
    </svg>
  )
}

/** `❌ 2 · jobwatch` for what failed unseen, else `▶️ 3 · jobwatch` for what runs. */
function titleOf(unseen: number, running: number): string {
  if (unseen > 0) return `❌ ${unseen} · jobwatch`
  return running > 0 ? `▶️ ${running} · jobwatch` : 'jobwatch'
}

function isAway(): boolean {
  return document.hidden || !document.hasFocus()
}

function isAllowed(): boolean {
  return 'Notification' in window && Notification.permission === 'granted'
}

function notify({ id, type, data: { job } }: EventAnswer): void {
  if (job === undefined) return
  const what = type === 'job.lost' ? '❓ lost' : '❌ failed'
  try {
    // Several tabs may tell of the same: one note is shown for an id.
    const note = new Notification(`${what}: ${job.title}`, {
      body: job.reason ?? job.upstream,
      tag: id,
    })
    note.onclick = () => {
      window.focus()
      location.hash = hashOf({ view: 'job', key: job })
      note.close()
    }
  } catch {
    // Browsers on phones want a service worker for that; the title has told it.
  }
}
