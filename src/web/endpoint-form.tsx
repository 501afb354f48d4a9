import { useState } from 'preact/hooks'
import type { EndpointWithSecret } from '../http/schemas.ts'
import { errorWords } from './api.ts'
import { Dialog } from './dialog.tsx'
import { usePage } from './page.ts'

const formats = [
  ['webhook', 'Webhook, signed'],
  ['slack', 'Slack'],
  ['teams', 'Teams'],
] as const

/** Adds an endpoint; what it takes to sign is shown once. Mail needs more, and the command line. */
export function EndpointForm({ onClose }: { readonly onClose: () => void }) {
  const { api, live } = usePage()
  const [error, setError] = useState<string | null>(null)
  const [isBusy, setIsBusy] = useState(false)
  const [made, setMade] = useState<EndpointWithSecret | null>(null)

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const data = new FormData(event.currentTarget as HTMLFormElement)
    const text = (name: string) => {
      const value = data.get(name)
      return typeof value === 'string' ? value.trim() : ''
    }
    const events = text('events')
      .split(/[\s,]+/)
      .filter((glob) => glob !== '')
    setIsBusy(true)
    setError(null)
    try {
      const { body } = await api.post<EndpointWithSecret>('v1/endpoints', {
        name: text('name'),
        format: text('format'),
        url: text('url'),
        ...(events.length > 0 && { events }),
      })
      await live.refresh().catch(() => undefined)
      if (body.secret === undefined) onClose()
      else setMade(body)
    } catch (failure) {
      setError(errorWords(failure))
    } finally {
      setIsBusy(false)
    }
  }

  if (made !== null) return <SecretDialog endpoint={made} onClose={onClose} />
  return (
    <Dialog title="Add an endpoint" {...{ error, onClose }}>
      <form onSubmit={(event) => void submit(event)}>
        <label>
          Name
          <input name="name" type="text" required autocomplete="off" placeholder="ops-slack" />
        </label>
        <label>
          Format
          <select name="format">
            {formats.map(([value, words]) => (
              <option value={value}>{words}</option>
            ))}
          </select>
        </label>
        <label>
          URL
          <input name="url" type="url" required autocomplete="off" placeholder="https://…" />
        </label>
        <label>
          Events
          <input
            name="events"
            type="text"
            autocomplete="off"
            placeholder="job.failed, job.lost"
            aria-describedby="events-hint"
          />
        </label>
        <p id="events-hint" class="hint">
          Empty for the usual ones: all of them for a webhook, what people want to know for a chat.
        </p>
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={isBusy}>
            Add
          </button>
        </div>
      </form>
    </Dialog>
  )
}

interface SecretDialogProps {
  readonly endpoint: EndpointWithSecret
  readonly onClose: () => void
}

function SecretDialog({ endpoint: { name, secret }, onClose }: SecretDialogProps) {
  return (
    <Dialog title={`${name} is added`} onClose={onClose}>
      <p>Its receiver checks the signatures with this secret, which is shown only now:</p>
      <p>
        <code class="secret">{secret}</code>
      </p>
      <div class="buttons">
        <button type="button" class="primary" onClick={onClose}>
          I have kept it
        </button>
      </div>
    </Dialog>
  )
}
