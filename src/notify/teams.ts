import { colourOf, container, line, literal, richText, run } from './adaptive-card.ts'
import type { Element } from './adaptive-card.ts'
import type { Format, HttpOutbound } from './format.ts'
import { lineOf, messageOf } from './message.ts'
import type { Fact, Lines, Message } from './message.ts'
import type { StageList } from './stage-list.ts'

/**
 * A message for the webhook of a Teams workflow ("Send webhook alerts to a channel"): an Adaptive
 * Card 1.4, which all clients show.
 */
export const teams: Format = {
  isMessage: true,
  // Connectors took 60 in 30 s; no more is known of workflows (MicrosoftDocs/msteams-docs, connectors-using.md).
  per10s: 30,
  request(event, surroundings) {
    const message = messageOf(event, surroundings)
    return outbound(message, [
      heading(message),
      ...lateElements(message),
      ...(message.says.length === 0 ? [] : [line(message.says)]),
      ...(message.quote === null ? [] : [container('emphasis', [line([message.quote])])]),
      ...message.facts.map(factElement),
      ...(message.stages === null ? [] : stageElements(message.stages)),
      ...(message.messages === null ? [] : listElements(message.messages)),
      ...(message.late?.meanwhile ? listElements(message.late.meanwhile) : []),
      line(message.source, { size: 'Small', isSubtle: true }, 'Medium'),
    ])
  },
  plain(event, surroundings) {
    const message = messageOf(event, surroundings)
    return outbound(message, [line([lineOf(message)])])
  },
  judge({ status, text }) {
    if (status === 410) return 'endpoint_dead'
    // Some errors come with 200 and are told in the text alone. That a workflow was deleted is told
    // by 404, which may as well pass: it is left to the endpoint's health.
    const isError = /\bHTTP error \d{3}\b/i.test(text)
    return status >= 200 && status < 300 && !isError ? 'delivered' : 'retry'
  },
}

/** Teams takes about 28 KB for all; measured in bytes of UTF-8. */
const maxBytes = 27_000
const cutNote = line(['… The rest is too long for Teams.'], { isSubtle: true })

/** The card in its envelope, with as many of the elements as there is room for. */
function outbound(message: Message, elements: readonly Element[]): HttpOutbound {
  const body: Element[] = []
  let left = maxBytes - sizeOf(envelope(message, [cutNote]))
  for (const element of elements) {
    left -= sizeOf(element) + 1
    if (left < 0) break
    body.push(element)
  }
  if (body.length < elements.length) body.push(cutNote)
  return {
    via: 'http',
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(envelope(message, body)),
    signed: false,
  }
}

function envelope(message: Message, body: readonly Element[]): Element {
  const actions = message.links.map(({ label, url }) => ({
    ...{ type: 'Action.OpenUrl', title: label, url },
  }))
  const content = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    fallbackText: literal(lineOf(message)),
    msteams: { width: 'full' },
    body,
    ...(actions.length > 0 && { actions }),
  }
  const contentType = 'application/vnd.microsoft.card.adaptive'
  return { type: 'message', attachments: [{ contentType, contentUrl: null, content }] }
}

function sizeOf(element: Element): number {
  return Buffer.byteLength(JSON.stringify(element))
}

function heading({ face, word, title, place }: Message): Element {
  const where = place === null ? title : `${title} (${place})`
  const color = colourOf(face)
  const style = color === 'Default' ? 'emphasis' : color.toLowerCase()
  const lines = [
    line([`${face.emoji} ${word}`], { size: 'Large', weight: 'Bolder', color }),
    line([where], { size: 'Medium', weight: 'Bolder' }, 'None'),
  ]
  return container(style, lines, { bleed: true })
}

function lateElements({ late }: Message): Element[] {
  if (late === null) return []
  const says = ['⌛ ', ...late.says, ...(late.now === null ? [] : [` ${late.now}`])]
  return [line(says, { weight: 'Bolder', color: 'Warning' })]
}

/** Not a FactSet: that reads Markdown. */
function factElement({ label, value }: Fact, index: number): Element {
  const columns = [
    { type: 'Column', width: '100px', items: [line([label], { isSubtle: true })] },
    { type: 'Column', width: 'stretch', items: [line(value)] },
  ]
  return { type: 'ColumnSet', spacing: index === 0 ? 'Medium' : 'None', columns }
}

function stageElements({ progress, stages, more }: StageList): Element[] {
  return [
    line([progress], { weight: 'Bolder' }, 'Medium'),
    ...stages.map(({ face, name, state }) =>
      richText([run(`${face.emoji} ${name}: `), run(state, { color: colourOf(face) })], 'None'),
    ),
    ...(more > 0 ? [line([`… and ${more} more`], { isSubtle: true }, 'None')] : []),
  ]
}

function listElements({ label, lines, before }: Lines): Element[] {
  return [
    line([label], { weight: 'Bolder' }, 'Medium'),
    ...(before > 0 ? [line([`… ${before} more before`], { isSubtle: true }, 'None')] : []),
    ...lines.map((words) => line(['• ', ...words], {}, 'None')),
  ]
}
