import { useState } from 'preact/hooks'
import type { JobAnswer } from '../http/schemas.ts'
import { hashOf } from './address.ts'
import { errorWords } from './api.ts'
import { usePage } from './page.ts'
import { useReadable } from './store.ts'

/** Begins to watch a job: its URL or id is pasted, or what ArcGIS answered when it was submitted. */
export function RegisterForm() {
  const { api, live } = usePage()
  const upstreams = useReadable(live.surroundings)?.upstreams.map(({ name }) => name) ?? []
  const [text, setText] = useState('')
  const [error, setError] = useState<string | null>(null)
  const [isBusy, setIsBusy] = useState(false)
  const needsUpstream = upstreams.length > 1 && text.trim() !== '' && !/[{:/]/.test(text)

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    const upstream = form.get('upstream')
    setIsBusy(true)
    setError(null)
    try {
      const job = jobIn(text.trim())
      const body = typeof upstream === 'string' ? { ...job, upstream } : job
      const answered = await api.post<JobAnswer>('v1/jobs', body)
      live.learn(answered)
      setText('')
      location.hash = hashOf({ view: 'job', key: answered.body })
    } catch (failure) {
      setError(errorWords(failure))
    } finally {
      setIsBusy(false)
    }
  }

  return (
    <form class="register" onSubmit={(event) => void submit(event)}>
      <label>
        <span class="unseen">A job to watch: its URL or id</span>
        <input
          type="text"
          placeholder="Watch a job: paste its URL or id"
          value={text}
          required
          spellcheck={false}
          autocomplete="off"
          aria-describedby="register-error"
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
      </label>
      {needsUpstream && (
        <label>
          <span class="unseen">Its upstream</span>
          <select name="upstream">
            {upstreams.map((name) => (
              <option value={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
      <button type="submit" disabled={isBusy}>
        Watch
      </button>
      <p id="register-error" class="error" role="alert">
        {error}
      </p>
    </form>
  )
}

/** What a pasted text names: an answer to a submit, a URL, or else an id. */
function jobIn(text: string): object {
  if (text.startsWith('{')) {
    try {
      return JSON.parse(text) as object
    } catch {
      throw new Error('This looks like the answer to a submit, but it is not whole JSON')
    }
  }
  return /^https?:\/\//i.test(text) ? { url: text } : { jobid: text }
}
