import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'

interface DialogProps {
  readonly title: string
  /** Why what was asked for here has not been done. */
  readonly error?: string | null
  readonly onClose: () => void
  readonly children: ComponentChildren
}

/** The browser's own dialog: it keeps the focus, gives it back, and Escape closes it. */
export function Dialog({ title, error = null, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  const isGone = useRef(false)
  useEffect(() => {
    const shown = dialog.current
    shown?.showModal()
    return () => {
      // A dialog that is only taken away leaves the focus nowhere.
      isGone.current = true
      shown?.close()
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onClose={() => {
        if (!isGone.current) onClose()
      }}
    >
      <h2 id={id}>{title}</h2>
      {children}
      <p class="error" role="alert">
        {error}
      </p>
    </dialog>
  )
}
