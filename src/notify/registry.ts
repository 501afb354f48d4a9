import type { FormatName } from '../core/endpoint.ts'
import { email } from './email.ts'
import type { Format } from './format.ts'
import { slack } from './slack.ts'
import { teams } from './teams.ts'
import { webhook } from './webhook.ts'

/** One line per format. */
export const formats = { webhook, slack, teams, email } satisfies Record<FormatName, Format>
