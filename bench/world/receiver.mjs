// A receiver of webhooks in a process of its own: takes everything, and notes how old it is.
import { answerCalls } from '../gauge.mjs'
import { serveFast } from './http.mjs'
import { Moments } from './moments.mjs'

const moments = new Moments()
const port = await serveFast((_, body) => {
  moments.note(body)
  return null
})
answerCalls({ port: () => port, take: () => moments.take() })
