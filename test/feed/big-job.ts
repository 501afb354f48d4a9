import type { Simulator } from '../../src/simulator/simulator.ts'
import { begin } from '../e2e/ground.ts'
import type { Answer, Call } from '../helpers/app.ts'

/** How many events one look at a big job makes. */
export const eventsPerLook = 200

/** The simulated Enterprise and the API of the daemon before it. */
interface At {
  readonly simulator: Simulator
  readonly call: (path: string, call?: Call) => Promise<Answer>
}

/**
 * A job whose every event is large, since it has as many stages as are listed, with long names. Each
 * `stir` changes them all, and resolves when the daemon has seen it: one commit of some 18 MB.
 */
export async function watchBigJob({ simulator, call }: At, jobid = 'big') {
  let round = 0
  const names = Array.from({ length: eventsPerLook }, (_, n) => `${n} `.padEnd(310, 'stage '))
  const show = (): void => {
    const state = round % 2 === 0 ? 'pending' : 'completed'
    const stages = names.map((name) => ({ name, state }))
    const document = { jobid, status: 'EXECUTING', starttime: begin, progress: { stages } }
    simulator.addScript([document], { jobid })
  }
  const look = async (): Promise<void> => {
    const answer = await call(`/v1/jobs/${jobid}/poll`, { method: 'POST' })
    if (answer.status !== 200) throw new Error(answer.text)
  }
  show()
  const registered = await call('/v1/jobs', { method: 'POST', body: { jobid } })
  if (registered.status !== 201) throw new Error(registered.text)
  await look()
  return {
    async stir(): Promise<void> {
      round += 1
      show()
      await look()
    },
  }
}
