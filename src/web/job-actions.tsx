import { useRef } from 'preact/hooks'
import { endingOf } from '../core/ending.ts'
import { safe } from '../core/safe.ts'
import type { JobAnswer } from '../http/schemas.ts'
import { useActing } from './acting.ts'
import { jobPath } from './api.ts'
import type { Answered } from './api.ts'
import { Dialog } from './dialog.tsx'
import { usePage } from './page.ts'

type EditedJob = Pick<
  JobAnswer,
  'upstream' | 'jobid' | 'state' | 'outcome' | 'title' | 'label' | 'tags'
>

interface JobActionsProps {
  readonly job: EditedJob
  readonly onChanged: () => void
}

/** What a person may do to a job: poll now, name it, stop watching. */
export function JobActions({ job, onChanged }: JobActionsProps) {
  const { api, live, mayWrite, tell } = usePage()
  const { dialog, error, isBusy, show, act } = useActing<'edit' | 'stop'>()
  if (!mayWrite) return null

  function change(words: string, call: () => Promise<Answered<JobAnswer | null>>): void {
    void act(async () => {
      const { body, ...rest } = await call()
      if (body !== null) live.learn({ body, ...rest })
      onChanged()
      tell(words)
    })
  }

  const isWatched = job.state !== 'stopped'
  const isOver = endingOf(job) !== null
  return (
    <div class="actions">
      {isWatched ? (
        <button
          type="button"
          disabled={isBusy}
          onClick={() => change('Looked at just now', () => api.post(jobPath(job, '/poll')))}
        >
          Poll now
        </button>
      ) : (
        <button
          type="button"
          disabled={isBusy}
          onClick={() => {
            const { upstream, jobid } = job
            change('Watched again', () => api.post('v1/jobs', { upstream, jobid }))
          }}
        >
          Watch again
        </button>
      )}
      <button type="button" onClick={() => show('edit')}>
        Label and tags …
      </button>
      {isWatched && (
        <button type="button" class="danger" onClick={() => show('stop')}>
          {isOver ? 'Put away …' : 'Stop watching …'}
        </button>
      )}
      {dialog === 'edit' && (
        <EditDialog
          job={job}
          error={error}
          onClose={() => show(null)}
          onSave={(edit) => change('Saved', () => api.patch(jobPath(job), edit))}
        />
      )}
      {dialog === 'stop' && (
        <Dialog
          title={isOver ? 'Put away?' : 'Stop watching?'}
          error={error}
          onClose={() => show(null)}
        >
          <p>
            {isOver
              ? `“${safe(job.title)}” is looked at no more and needs no look from anybody. Its history stays.`
              : `jobwatch no longer looks at “${safe(job.title)}” and tells nobody how it ends. Its history stays, and the job itself goes on.`}
          </p>
          <div class="buttons">
            <button type="button" onClick={() => show(null)}>
              {isOver ? 'Keep it' : 'Keep watching'}
            </button>
            <button
              type="button"
              class="danger"
              disabled={isBusy}
              onClick={() => change('No longer watched', () => api.delete(jobPath(job)))}
            >
              {isOver ? 'Put away' : 'Stop watching'}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  )
}

interface EditDialogProps {
  readonly job: EditedJob
  readonly error: string | null
  readonly onClose: () => void
  readonly onSave: (change: { label: string | null; tags: string[] }) => void
}

function EditDialog({ job, error, onClose, onSave }: EditDialogProps) {
  const form = useRef<HTMLFormElement>(null)

  function save(event: SubmitEvent): void {
    event.preventDefault()
    if (form.current === null) return
    const data = new FormData(form.current)
    const text = (name: string) => {
      const value = data.get(name)
      return typeof value === 'string' ? value.trim() : ''
    }
    const tags = text('tags')
      .split(',')
      .map((tag) => tag.trim())
      .filter((tag) => tag !== '')
    onSave({ label: text('label') || null, tags: [...new Set(tags)] })
  }

  return (
    <Dialog title="Label and tags" {...{ error, onClose }}>
      <form ref={form} onSubmit={save}>
        <label>
          Label, which becomes the title
          <input name="label" type="text" maxLength={200} defaultValue={job.label ?? ''} />
        </label>
        <label>
          Tags, with commas between them
          <input name="tags" type="text" defaultValue={job.tags.join(', ')} />
        </label>
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  )
}
