import { setTimeout as pause } from 'node:timers/promises'
import { request } from 'undici'
import type { EventList } from '../../src/http/schemas.ts'
import type { Random } from './random.ts'
import type { ScriptedJob } from './script.ts'
import type { Trail } from './trail.ts'
import { now, sha } from './trace.ts'
import type { Call } from './trace.ts'

const callTimeoutMs = 4000
const raceSize = 100

export interface ClientOptions {
  readonly url: () => string
  readonly token: string
  readonly trail: Trail
  readonly random: Random
}

export interface Answer {
  readonly status: number
  readonly text: string
}

/** Those who use the API, and do not mind a daemon that is gone for a while. */
export class Clients {
  readonly #options: ClientOptions

  constructor(options: ClientOptions) {
    this.#options = options
  }

  /** One call; null when there was no whole answer. */
  async call(path: string, method: 'GET' | 'POST' | 'PATCH' | 'DELETE' = 'GET', body?: object) {
    const { url, token } = this.#options
    try {
      const answer = await request(`${url()}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(callTimeoutMs),
      })
      return { status: answer.statusCode, text: await answer.body.text() } satisfies Answer
    } catch {
      return null
    }
  }

  /** Likewise, again and again until there is an answer. */
  async read(path: string): Promise<string> {
    for (;;) {
      const answer = await this.call(path)
      if (answer?.status === 200) return answer.text
      await pause(100)
    }
  }

  /** Registers a job until that is acknowledged. */
  async register(job: ScriptedJob): Promise<void> {
    const { upstream, jobid, how } = job
    const once = async (): Promise<boolean> => {
      const verb = how === 'race' ? 'race' : 'register'
      return this.#write(verb, jobid, '/v1/jobs', 'POST', { jobid, upstream, tags: [how] })
    }
    if (how === 'race') await Promise.all(Array.from({ length: raceSize }, once))
    await until(once)
  }

  async registerBatch(jobs: readonly ScriptedJob[]): Promise<void> {
    const body = { jobs: jobs.map(({ jobid, upstream }) => ({ jobid, upstream })) }
    await until(async () => {
      const at = now()
      const answer = await this.call('/v1/jobs/batch', 'POST', body)
      const { results } = JSON.parse(answer?.text ?? '{"results":[]}') as {
        results: readonly { status: number }[]
      }
      jobs.forEach(({ jobid }, index) => {
        const status = results[index]?.status ?? null
        this.#note({ at, verb: 'register', about: jobid, status })
      })
      return answer?.status === 200
    })
  }

  /** Stops the watching for a moment, and begins it anew. */
  async interrupt(job: ScriptedJob): Promise<void> {
    const { jobid, upstream } = job
    await until(() => this.#write('stop', jobid, `/v1/jobs/${jobid}`, 'DELETE'))
    await pause(this.#options.random.between(50, 1500))
    await until(() => this.#write('register', jobid, '/v1/jobs', 'POST', { jobid, upstream }))
  }

  /** Something that must change nothing that is told. */
  async meddle({ jobid }: ScriptedJob): Promise<void> {
    const { random } = this.#options
    if (random.chance(0.5)) await this.#write('poll', jobid, `/v1/jobs/${jobid}/poll`, 'POST')
    else {
      const label = `label ${random.int(1, 1000)}`
      const at = now()
      const answer = await this.call(`/v1/jobs/${jobid}`, 'PATCH', { label })
      this.#note({ at, verb: 'patch', about: jobid, status: answer?.status ?? null, label })
    }
  }

  /** Makes an endpoint; answers its secret once it is acknowledged. */
  async makeEndpoint(name: string, url: string, events: readonly string[]): Promise<string> {
    const at = now()
    for (;;) {
      const answer = await this.call('/v1/endpoints', 'POST', { name, url, events })
      this.#note({ at, verb: 'endpoint', about: name, status: answer?.status ?? null })
      if (answer?.status === 201) {
        this.#options.trail.write({ kind: 'endpoint', at, to: now(), name, events })
        return (JSON.parse(answer.text) as { secret: string }).secret
      }
      // It was made, and its secret got lost: nobody can verify what it sends.
      if (answer?.status === 409) {
        const fresh = await this.call(`/v1/endpoints/${name}/rotate-secret`, 'POST')
        if (fresh?.status === 200) {
          this.#options.trail.write({ kind: 'endpoint', at, to: now(), name, events })
          return (JSON.parse(fresh.text) as { secret: string }).secret
        }
      } else if (answer !== null && answer.status < 500) throw new Error(answer.text)
      await pause(200)
    }
  }

  /** Disables an endpoint, or enables it again, until that is acknowledged. */
  async turn(name: string, isOn: boolean): Promise<void> {
    const at = now()
    const verb = isOn ? 'enable' : 'disable'
    await until(
      async () => (await this.call(`/v1/endpoints/${name}/${verb}`, 'POST'))?.status === 200,
    )
    this.#options.trail.write({ kind: 'switch', at, to: now(), name, isOn })
  }

  /** The whole log, page by page, each event as the text that it has in the answer. */
  async readLog(): Promise<Map<string, string>> {
    const texts = new Map<string, string>()
    for (let after = 0; ;) {
      const page = await this.read(`/v1/events?limit=1000&after=${after}`)
      const { next, items } = JSON.parse(page) as EventList
      if (items.length === 0) return texts
      for (const [id, text] of textsIn(page)) texts.set(id, text)
      if (next <= after) throw new Error(`paging stands still at ${after}`)
      after = next
    }
  }

  /** Looks at a page of the log as it is at the moment. */
  async glance(): Promise<void> {
    const at = now()
    const answer = await this.call('/v1/events?last=50')
    if (answer?.status !== 200) return
    for (const [id, text] of textsIn(answer.text)) {
      this.#options.trail.write({ kind: 'paged', at, id, sha: sha(text) })
    }
  }

  async #write(
    verb: Call['verb'],
    about: string,
    ...call: Parameters<Clients['call']>
  ): Promise<boolean> {
    const at = now()
    const answer = await this.call(...call)
    this.#note({ at, verb, about, status: answer?.status ?? null })
    // What is gone although it was acknowledged is for the verifier to tell.
    if (answer?.status === 404) return true
    if (answer !== null && answer.status >= 400 && answer.status < 500) {
      throw new Error(`${call[1] ?? ''} ${call[0]}: ${answer.text}`)
    }
    return answer !== null && answer.status < 300
  }

  #note(call: Omit<Call, 'kind' | 'to'>): void {
    this.#options.trail.write({ kind: 'call', to: now(), ...call })
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await pause(100)
}

/** The events of a page, byte for byte: each begins as all do, and ends where its braces do. */
export function* textsIn(page: string): Generator<[id: string, text: string]> {
  const beginning = '{"specversion":'
  for (let from = page.indexOf(beginning); from !== -1;) {
    const to = endOfObject(page, from)
    const text = page.slice(from, to)
    yield [(JSON.parse(text) as { id: string }).id, text]
    from = page.indexOf(beginning, to)
  }
}

function endOfObject(text: string, from: number): number {
  let depth = 0
  for (let place = from; place < text.length; place += 1) {
    const character = text[place]
    if (character === '"') place = endOfString(text, place)
    else if (character === '{') depth += 1
    else if (character === '}' && --depth === 0) return place + 1
  }
  throw new Error('a page ends amid an event')
}

function endOfString(text: string, from: number): number {
  for (let place = from + 1; ; place += 1) {
    if (text[place] === '\\') place += 1
    else if (text[place] === '"') return place
  }
}
