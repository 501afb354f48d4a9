import type { FormatName } from '../core/endpoint.ts'
import type { Format } from './format.ts'
import { slack } from './slack.ts'
import { teams } from './teams.ts'
import { webhook } from './webhook.ts'

/** One line per format. */
export const formats: Readonly<Record<FormatName, Format>> = { webhook, slack, teams, email: slack }
