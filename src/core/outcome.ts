import type { Job, Message, Outcome, Stage } from './job.ts'

type Ended = Pick<Job, 'status' | 'messages' | 'stages'>

/**
 * How an ended job ended. COMPLETED alone does not mean success: ArcGIS Server's own page shows a
 * COMPLETED job whose `operationResponse.status` is `error`.
 */
export function outcomeOf(job: Ended, result: unknown): Outcome | null {
  switch (job.status) {
    case 'FAILED':
      return 'error'
    case 'CANCELLED':
      return 'cancelled'
    case 'COMPLETED':
      if (resultSaysError(result)) return 'error'
      return saysWarnings(job.stages, result) ? 'warning' : 'success'
    case 'SUBMITTED':
    case 'EXECUTING':
    case 'CANCELLING':
    case 'UNAVAILABLE':
    case 'OTHER':
    case null:
      return null
  }
}

/** The first human line of why a job failed: of the result, else the messages, else the failed stage. */
export function reasonOf(job: Ended, result: unknown): string | null {
  return lineOf(result) ?? lineOfMessages(job.messages) ?? lineOfStages(job.stages)
}

const errorWords = new Set(['error', 'failed', 'failure'])
const withWarnings = /with[\s_-]*warning/i

function resultSaysError(result: unknown): boolean {
  if (!isRecord(result)) return false
  if (statusWords(result).some((word) => errorWords.has(word.toLowerCase()))) return true
  const success = result['success']
  return success === false || (typeof success === 'string' && success.toLowerCase() === 'false')
}

function saysWarnings(stages: readonly Stage[], result: unknown): boolean {
  if (stages.some(({ state, rawState }) => state === 'warning' || withWarnings.test(rawState))) {
    return true
  }
  if (!isRecord(result)) return false
  return [...statusWords(result), result['state']].some(
    (word) => typeof word === 'string' && withWarnings.test(word),
  )
}

/** What a result calls its own status, and that of the operation in it. */
function statusWords(result: Record<string, unknown>): string[] {
  const nested = result['operationResponse']
  return [result['status'], isRecord(nested) ? nested['status'] : undefined].filter(
    (word) => typeof word === 'string',
  )
}

/** Looks through the shapes in which Esri's answers say why: `message(s)`, `error`, `details`. */
function lineOf(value: unknown, depth = 0): string | null {
  if (typeof value === 'string') return firstLine(value)
  if (depth > 3) return null
  if (Array.isArray(value)) {
    for (const item of value.slice(0, 20) as unknown[]) {
      const line = lineOf(item, depth + 1)
      if (line !== null) return line
    }
    return null
  }
  if (!isRecord(value)) return null
  for (const key of ['message', 'messages', 'error', 'operationResponse', 'details', 'reason']) {
    const line = lineOf(value[key], depth + 1)
    if (line !== null) return line
  }
  return null
}

function lineOfMessages(messages: readonly Message[]): string | null {
  const failing = messages.find((message) => /error|fail|fatal|severe/i.test(message.level ?? ''))
  const chosen = failing ?? messages.at(-1)
  return chosen === undefined ? null : firstLine(chosen.text)
}

function lineOfStages(stages: readonly Stage[]): string | null {
  const failed = stages.find((stage) => stage.state === 'failed')
  return failed === undefined ? null : `stage ${failed.name} failed`
}

function firstLine(text: string): string | null {
  const line = text.split(/[\r\n]/, 50).find((part) => part.trim() !== '')
  return line === undefined ? null : line.trim().slice(0, 500)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
