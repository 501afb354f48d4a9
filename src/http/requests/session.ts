import { z } from 'zod'

/** Body of `POST /v1/session`. */
export const SignIn = z.strictObject({
  token: z.string().min(1).max(1024).describe('One that is configured under api.tokens'),
})
