import { AppError } from '../core/errors.ts'
import { ok } from './answer.ts'
import type { Answer } from './answer.ts'
import type { Call } from './call.ts'
import { anything, checkShape, invalid, jobidRule, oneOf, paceRule, text, whole } from './check.ts'
import { faultKinds, parseFault } from './fault.ts'
import { targets } from './faults.ts'
import type { FaultInForce, FaultOptions } from './faults.ts'
import { isPreset, jobPresets, tokenPresets } from './presets.ts'
import { scenarioKinds } from './scenarios.ts'
import type { ScenarioKind } from './scenarios.ts'
import { parseTrace, traceTargets } from './trace.ts'
import type { Played, PlayOptions, Submitted, SubmitOptions, Verbs } from './verbs.ts'

/** Where nothing of Esri's is. */
const base = '/_simulator'

/** The path is below the base, `{id}` any segment; `does` is for people; what `run` gives is sent. */
type Route = readonly [
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  does: string,
  run: (simulator: Verbs, call: Call, id: string) => unknown,
]

const routes: readonly Route[] = [
  ['GET', '', 'shows what there is', overview],
  ['GET', '/presets', 'shows what the presets are, and the kinds of faults', presets],
  ['POST', '/faults', 'injects { fault: name | { kind, … }, target?, jobid?, times? }', inject],
  ['DELETE', '/faults', 'removes every fault', (simulator) => simulator.clearFaults()],
  ['DELETE', '/faults/{id}', 'removes one fault', removeFault],
  ['POST', '/jobs', 'starts a built-in job: { kind: a scenario, pace?, target? }', submit],
  ['DELETE', '/jobs', 'makes the id of every job unknown', (simulator) => simulator.removeJobs()],
  ['DELETE', '/jobs/{id}', 'makes the id of one job unknown', removeJob],
  ['POST', '/traces', 'plays [{ afterMs, httpStatus, body }, …]; ?jobid ?pace ?target', playTrace],
  ['DELETE', '/traces', 'ends list and token traces', (simulator) => simulator.endTraces()],
  ['DELETE', '/tokens', 'makes every token expire', (simulator) => simulator.expireTokens()],
  ['PUT', '/password', 'changes the password: { password }', setPassword],
]

export function isControl({ path }: Call): boolean {
  return path === base || path.startsWith(`${base}/`)
}

/** Lets people and scripts do over HTTP what the verbs do in the process. */
export function controlAnswer(simulator: Verbs, call: Call): Answer {
  const ofPath = routes.filter(([, path]) => idIn(call, path) !== null)
  const route = ofPath.find(([method]) => method === call.method)
  if (route === undefined) {
    if (ofPath.length === 0) return refused(404, `there is no ${call.path}; see GET ${base}`)
    const allow = ofPath.map(([method]) => method).join(', ')
    return { ...refused(405, `${call.path} takes ${allow}`), headers: { allow } }
  }
  const [method, path, , run] = route
  try {
    const result = run(simulator, call, idIn(call, path) ?? '')
    if (result === undefined) return { httpStatus: 204, body: '' }
    return { ...pretty(result), httpStatus: method === 'POST' ? 201 : 200 }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return refused(error.code === 'not_found' ? 404 : 400, error.message)
  }
}

/** What the call has in place of the route's `{id}`, empty if there is none; null for another path. */
function idIn({ path }: Call, ofRoute: string): string | null {
  const match = new RegExp(`^${base}${ofRoute.replace('{id}', '([^/]+)')}/?$`).exec(path)
  return match && (match[1] ?? '')
}

function overview(simulator: Verbs) {
  const { root, username, jobids, faults, requests } = simulator
  return {
    root,
    username,
    calls: Object.fromEntries(
      routes.map(([method, path, does]) => [`${method} ${base}${path}`, does]),
    ),
    jobs: jobids,
    faults,
    requests: { ...requests, jobs: Object.fromEntries(requests.jobs) },
    scenarios: scenarioKinds,
    presets: { job: Object.keys(jobPresets), token: Object.keys(tokenPresets) },
  }
}

function presets() {
  return { job: jobPresets, token: tokenPresets, kinds: faultKinds }
}

function inject(simulator: Verbs, { body }: Call): FaultInForce {
  const given = parseBody(body)
  const shape = {
    fault: anything,
    'target?': oneOf(targets),
    'jobid?': jobidRule,
    'times?': whole(1, 1e9),
  }
  checkShape(given, shape, 'body')
  const { fault, ...options } = given as { fault: unknown } & FaultOptions
  if (typeof fault !== 'string') return simulator.inject(parseFault(fault), options)
  if (isPreset(fault)) return simulator.inject(fault, options)
  throw invalid('body', `there is no fault named ${fault}; GET ${base} lists the presets`)
}

function removeFault(simulator: Verbs, _: Call, id: string): void {
  if (!simulator.clearFault(Number(id))) throw notFound(`no fault ${id} is in force`)
}

function removeJob(simulator: Verbs, _: Call, id: string): void {
  if (!simulator.removeJob(id)) throw notFound(`there is no job ${id}`)
}

function setPassword(simulator: Verbs, { body }: Call): void {
  const given = parseBody(body)
  checkShape(given, { password: text }, 'body')
  simulator.setPassword((given as { password: string }).password)
}

function submit(simulator: Verbs, { body }: Call): Submitted {
  const given = parseBody(body)
  checkShape(given, { kind: oneOf(scenarioKinds), 'pace?': paceRule, 'target?': text }, 'body')
  const { kind, ...options } = given as { kind: ScenarioKind } & SubmitOptions
  return simulator.submit(kind, options)
}

function playTrace(simulator: Verbs, { body, query }: Call): Played {
  const trace = parseTrace(parseBody(body))
  const pace = query.get('pace')
  const given = {
    ...Object.fromEntries(query),
    ...(pace !== null && { pace: pace === '' ? null : Number(pace) }),
  }
  const shape = { 'jobid?': jobidRule, 'pace?': paceRule, 'target?': oneOf(traceTargets) }
  checkShape(given, shape, 'query')
  return simulator.play(trace, given as PlayOptions)
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw invalid('body', 'must be JSON')
  }
}

function notFound(message: string): AppError {
  return new AppError('not_found', message)
}

function refused(httpStatus: number, error: string): Answer {
  return { ...pretty({ error }), httpStatus }
}

/** JSON as people read it. */
function pretty(value: unknown): Answer {
  return ok(Buffer.from(`${JSON.stringify(value, null, 2)}\n`))
}
