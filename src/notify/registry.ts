import type { Format } from './format.ts'
import { slack } from './slack.ts'
import { webhook } from './webhook.ts'

/** One line per format. */
export const formats = { webhook, slack } satisfies Record<string, Format>

export type FormatName = keyof typeof formats
