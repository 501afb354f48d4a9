import { endpointFaces } from '../core/face.ts'
import type { EndpointAnswer } from '../http/schemas.ts'
import { cellLine, factLines } from './facts.ts'
import { paint, safe, shortTime, stateCell } from './output.ts'
import type { Style } from './output.ts'
import { cut, renderTable } from './table.ts'
import type { Cell } from './table.ts'

/** Endpoints as a table. */
export function endpointTable(endpoints: readonly EndpointAnswer[], style: Style): string {
  const header = ['NAME', 'FORMAT', 'WHERE', 'EVENTS', 'STATE', 'PENDING', 'LAST DELIVERED']
  const rows = endpoints.map((endpoint): Cell[] => [
    { text: safe(endpoint.name) },
    { text: safe(endpoint.format) },
    { text: cut(safe(endpoint.url), 48) },
    { text: cut(safe(endpoint.events.join(',')), 32) },
    stateCell(endpointFaces, endpoint.state, style),
    { text: String(endpoint.pending) },
    { text: shortTime(endpoint.lastDeliveredAt) },
  ])
  return renderTable(header, rows)
}

/** Everything about one endpoint. */
export function endpointDetail(endpoint: EndpointAnswer, style: Style): string {
  const { name, origin, match, reason, disablesAt, fold } = endpoint
  return [
    `${paint(style, 'bold')(safe(name))}\n`,
    cellLine('state', stateCell(endpointFaces, endpoint.state, style)),
    factLines([
      ['since', shortTime(endpoint.since)],
      ['reason', reason],
      ['disabled at', disablesAt === null ? null : `${shortTime(disablesAt)} unless one succeeds`],
      ['format', endpoint.format],
      ['where', endpoint.url],
      ['made by', origin === 'config' ? 'the configuration' : 'the API'],
      ['events', endpoint.events.join(', ')],
      ['upstreams', listWords(match.upstream)],
      ['tags', listWords(match.tag)],
      ['jobs', listWords(match.jobid)],
      ['fold', fold ? 'yes, what later events made pointless is left out' : 'no'],
      ['pending', String(endpoint.pending)],
      ['delivered', endpoint.lastDeliveredAt === null ? 'never' : lastWords(endpoint)],
    ]),
  ].join('')
}

function listWords(values: readonly string[]): string | null {
  return values.length === 0 ? null : values.join(', ')
}

function lastWords({ lastDeliveredAt }: EndpointAnswer): string {
  return `last at ${shortTime(lastDeliveredAt)}`
}
