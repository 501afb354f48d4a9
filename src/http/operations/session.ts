import type { Operation } from '../operation.ts'
import { SignIn } from '../requests/session.ts'
import { SessionAnswer } from '../schemas.ts'

const path = '/v1/session'

/** Signing in and out. */
export const sessionOperations = {
  get: {
    id: 'getSession',
    method: 'GET',
    path,
    scope: null,
    summary: 'Show who is signed in',
    description: 'Of whoever asks, by a token in the header or by cookie.',
    answers: {
      200: {
        description: 'Who asks, and what they may do',
        content: {
          schema: SessionAnswer,
          example: { required: true, name: 'ops', scopes: ['read', 'write'] },
        },
      },
    },
    problems: ['unauthorized'],
  },
  signIn: {
    id: 'signIn',
    method: 'POST',
    path,
    scope: null,
    summary: 'Sign in with a token',
    description:
      'The cookie then stands for the token, with its scopes. It is good for 12 hours, and ' +
      'renewed while it is used; it ends with its token.',
    body: { schema: SignIn, examples: { token: { token: 'the-token-of-a-page-in-a-browser' } } },
    answers: { 204: { description: 'Signed in', headers: ['Set-Cookie'] } },
    problems: ['unauthorized', 'no_tokens'],
  },
  signOut: {
    id: 'signOut',
    method: 'DELETE',
    path,
    scope: null,
    summary: 'Sign out',
    description: 'A copy of the cookie is refused as well, for as long as the daemon runs.',
    answers: { 204: { description: 'Nobody is signed in', headers: ['Set-Cookie'] } },
  },
} as const satisfies Readonly<Record<string, Operation>>
