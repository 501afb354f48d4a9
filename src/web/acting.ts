import { useState } from 'preact/hooks'
import { errorWords } from './api.ts'
import { usePage } from './page.ts'

/** What somebody does with buttons, some of which ask in a dialog first. */
export interface Acting<D extends string> {
  readonly dialog: D | null
  /** Why what was asked for in the dialog has not been done. */
  readonly error: string | null
  readonly isBusy: boolean
  readonly show: (dialog: D | null) => void
  /** Does it, and closes the dialog; a failure is told in there, or else in a note. */
  readonly act: (call: () => Promise<void>) => Promise<void>
}

export function useActing<D extends string>(): Acting<D> {
  const { tell } = usePage()
  const [dialog, setDialog] = useState<D | null>(null)
  const [error, setError] = useState<string | null>(null)
  const [isBusy, setIsBusy] = useState(false)

  function show(next: D | null): void {
    setError(null)
    setDialog(next)
  }

  async function act(call: () => Promise<void>): Promise<void> {
    setIsBusy(true)
    try {
      await call()
      show(null)
    } catch (failure) {
      if (dialog === null) tell(errorWords(failure), 'bad')
      else setError(errorWords(failure))
    } finally {
      setIsBusy(false)
    }
  }

  return { dialog, error, isBusy, show, act }
}
