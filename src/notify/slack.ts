import type { FaceColour } from '../core/face.ts'
import type { Format, HttpOutbound } from './format.ts'
import { headlineOf, lineOf, messageOf } from './message.ts'
import type { Lines, Message } from './message.ts'
import { mrkdwn, mrkdwnWords, slackLink } from './mrkdwn.ts'
import type { StageList } from './stage-list.ts'
import { clip } from './words.ts'

/** A message for a Slack incoming webhook, in Block Kit; `text` is what notifications show. */
export const slack: Format = {
  isMessage: true,
  // One a second, with short bursts (api.slack.com/docs/rate-limits).
  per10s: 30,
  request(event, surroundings) {
    const message = messageOf(event, surroundings)
    return outbound({
      text: mrkdwn(lineOf(message), limits.text),
      blocks: topBlocks(message),
      attachments: [
        // Slack has a bar of colour only here.
        { color: colours[message.face.colour], blocks: detailBlocks(message) },
      ],
    })
  },
  plain: (event, surroundings) =>
    outbound({ text: mrkdwn(lineOf(messageOf(event, surroundings)), limits.text) }),
  judge({ status, text }) {
    const word = text.trim()
    if (ourErrors.has(word)) return 'refused'
    if (status === 410 || deadErrors.has(word)) return 'endpoint_dead'
    // Slack says `ok`; what else understands its messages may say anything but a bare error word.
    const isError = /^[a-z]+(_[a-z]+)+$/.test(word)
    return status >= 200 && status < 300 && !isError ? 'delivered' : 'retry'
  },
}

/** What Slack says of a message that it does not understand; its status varies, the word does not. */
const ourErrors: ReadonlySet<string> = new Set([
  'invalid_payload',
  'invalid_blocks',
  'invalid_blocks_format',
  'invalid_attachments',
  'msg_blocks_too_long',
  'msg_too_long',
  'no_text',
  'too_many_attachments',
])

/** What it says of a webhook or a channel that is gone or closed. */
const deadErrors: ReadonlySet<string> = new Set([
  'action_prohibited',
  'channel_is_archived',
  'channel_not_found',
  'invalid_token',
  'no_active_hooks',
  'no_service',
  'no_service_id',
  'no_team',
  'posting_to_general_channel_denied',
  'team_disabled',
  'user_not_found',
])

/** In UTF-16 units (Block Kit reference: header, section, fields; the text is kept to a section's). */
const limits = { header: 150, section: 3000, field: 2000, text: 3000 }

const colours: Readonly<Record<FaceColour, string>> = {
  red: '#d1242f',
  green: '#2da44e',
  yellow: '#d4a72c',
  cyan: '#0969da',
  dim: '#8c959f',
}

function outbound(payload: object): HttpOutbound {
  return {
    via: 'http',
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify({ ...payload, unfurl_links: false, unfurl_media: false }),
    signed: false,
  }
}

/** What must be seen without unfolding anything. */
function topBlocks(message: Message): object[] {
  const { says, quote, late } = message
  const lines = [
    ...(late === null ? [] : [`⌛ *${mrkdwnWords(late.says)}*`]),
    ...(late?.now ? [mrkdwn(late.now, 500)] : []),
    ...(says.length === 0 ? [] : [mrkdwnWords(says)]),
    ...(quote === null ? [] : [`> ${mrkdwn(quote, 1500)}`]),
  ]
  const text = clip(headlineOf(message), limits.header)
  const header = { type: 'header', text: { type: 'plain_text', text, emoji: true } }
  return lines.length === 0 ? [header] : [header, section(lines)]
}

function detailBlocks({ facts, stages, messages, late, links, source }: Message): object[] {
  const fields = facts.map(({ label, value }) =>
    textOf(`*${label}*\n${mrkdwnWords(value, limits.field - 100)}`),
  )
  const urls = links.map(({ label, url }) => slackLink(label, url))
  return [
    ...(fields.length === 0 ? [] : [{ type: 'section', fields }]),
    ...(stages === null ? [] : [section(stageLines(stages))]),
    ...(messages === null ? [] : [section(listLines(messages))]),
    ...(late?.meanwhile ? [section(listLines(late.meanwhile))] : []),
    ...(urls.length === 0 ? [] : [section([urls.join('  ·  ')])]),
    { type: 'context', elements: [textOf(mrkdwnWords(source))] },
  ]
}

function stageLines({ progress, stages, more }: StageList): string[] {
  return [
    `*${progress}*`,
    ...stages.map(({ face, name, state }) => `${face.emoji} ${mrkdwn(name)}: ${mrkdwn(state)}`),
    ...(more > 0 ? [`… and ${more} more`] : []),
  ]
}

function listLines({ label, lines, before }: Lines): string[] {
  return [
    `*${label}*`,
    ...(before > 0 ? [`… ${before} more before`] : []),
    ...lines.map((line) => `• ${mrkdwnWords(line, 500)}`),
  ]
}

/** As many of the lines as a section may hold; that some were left out shows. */
function section(lines: readonly string[]): object {
  let text = ''
  for (const line of lines) {
    if (text.length + line.length + 3 > limits.section) {
      text += '\n…'
      break
    }
    text += text === '' ? line : `\n${line}`
  }
  return { type: 'section', text: textOf(text) }
}

/** `verbatim`: what looks like a link, a channel or a name in a text is not made one. */
function textOf(text: string): object {
  return { type: 'mrkdwn', text, verbatim: true }
}
