import { render } from 'preact'
import { createApi } from './api.ts'
import { App } from './app.tsx'
import { createLive } from './live.ts'
import { createSession } from './session.ts'

const api = createApi({ onSignedOut: () => void session.check() })
const session = createSession(api)
const live = createLive(api)
const root = document.querySelector('#page')
if (root === null) throw new Error('index.html has no #page')
render(<App {...{ api, session, live }} />, root)
