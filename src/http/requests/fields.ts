import { z } from 'zod'
import { durationPattern, parseDuration } from '../../core/duration.ts'
import { jobidPattern } from '../../core/job.ts'

/*
 * What may be sent to the HTTP API. Requests refuse unknown keys. The routes parse with these
 * schemas, and the OpenAPI document shows them: `meta` says there what zod does not check itself.
 */

/** A length of time such as the example, up to a longest one; milliseconds once read. */
export function durationUpTo(maxMs: number, { example, hint }: { example: string; hint: string }) {
  return z
    .string()
    .meta({ pattern: durationPattern.source, examples: [example] })
    .transform((text, ctx) => {
      const ms = parseDuration(text)
      if (ms !== null && ms <= maxMs) return ms
      ctx.issues.push({ code: 'custom', input: text, message: hint })
      return z.NEVER
    })
}

/** What counts as a time. */
export const iso = z.union([
  z.iso.datetime({ offset: true }),
  // Without seconds, as people type it.
  z.iso.datetime({ offset: true, precision: -1 }),
])

/** What a time looks like; whether there is such a day is not said by it. */
export const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/

export const timeWithZone = z
  .string()
  .meta({
    description: 'A time with a zone, with or without seconds',
    examples: ['2026-01-31T18:00:00Z'],
    pattern: timePattern.source,
  })
  .refine((text) => iso.safeParse(text).success, {
    error: 'must be a time with a zone such as 2026-01-31T18:00:00Z',
  })

export const jobid = z
  .string()
  .regex(jobidPattern, 'must be 1 to 128 letters, digits, - or _, the first a letter or digit')

/** How many items. */
export const upTo1000 = z.coerce
  .number({ error: 'must be a whole number from 1 to 1000' })
  .int('must be a whole number from 1 to 1000')
  .min(1, 'must be from 1 to 1000')
  .max(1000, 'must be from 1 to 1000')

/** What every list takes besides its filters. */
export const page = {
  limit: upTo1000.default(100).describe('How many items a page has at most'),
  cursor: z.string().max(200).optional().describe('The next of the page before'),
}

/** Body of a `POST` that needs none; an empty object will do. */
export const NoBody = z.strictObject({}).optional()

/** Query of a list without filters. */
export const ListAll = z.strictObject(page)

export const seqHint = 'must be a seq, such as 1042'
