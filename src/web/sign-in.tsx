import { useState } from 'preact/hooks'
import { errorWords } from './api.ts'
import type { Session } from './session.ts'

/** Takes a token, which the daemon exchanges for a cookie that no script can read. */
export function SignIn({ session }: { readonly session: Session }) {
  const [error, setError] = useState<string | null>(null)
  const [isBusy, setIsBusy] = useState(false)

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const token = new FormData(form).get('token')
    if (typeof token !== 'string' || token.trim() === '') return
    setIsBusy(true)
    setError(null)
    try {
      await session.signIn(token.trim())
    } catch (failure) {
      setError(errorWords(failure))
      form.querySelector('input')?.select()
    } finally {
      setIsBusy(false)
    }
  }

  return (
    <main class="sign-in">
      <form onSubmit={(event) => void submit(event)}>
        <h1>
          <img src="./favicon.svg" alt="" width="40" height="40" /> jobwatch
        </h1>
        <label>
          Token
          <input
            name="token"
            type="password"
            autocomplete="current-password"
            required
            autofocus
            aria-describedby="sign-in-hint"
            {...(error !== null && { 'aria-invalid': 'true' as const })}
          />
        </label>
        <p id="sign-in-hint" class="hint">
          One of those under <code>api.tokens</code> in the configuration of jobwatch.
        </p>
        <p class="error" role="alert">
          {error}
        </p>
        <button type="submit" disabled={isBusy}>
          Sign in
        </button>
      </form>
    </main>
  )
}
