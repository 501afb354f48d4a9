import { clip, utc } from './words.ts'
import type { Moment, Words } from './words.ts'

/*
 * Slack's markup: `&`, `<` and `>` are escaped, nothing else can be
 * (api.slack.com/reference/surfaces/formatting). Signs that format do so at the edge of a word, and
 * `>` where a line begins, also as an entity; there a look-alike stands for them, so that
 * `object_store` stays what it is.
 */
const formatting = /^>|`|(?<![A-Za-z0-9])[*_~]|[*_~](?![A-Za-z0-9])/g
const lookAlikes: Readonly<Record<string, string>> = {
  '>': '›',
  '`': 'ˋ',
  '*': '∗',
  _: 'ˍ',
  '~': '∼',
}
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/** A text that shows as it is, cut to `room` as it is written. */
export function mrkdwn(text: string, room = Infinity): string {
  return clip(text, room, (char) => escape(char).length)
    .replace(formatting, (sign) => lookAlikes[sign] ?? sign)
    .replace(/[&<>]/g, escape)
}

/** Words in which moments are shown in the reader's own time zone. */
export function mrkdwnWords(words: Words, room = Infinity): string {
  return words.map((part) => (typeof part === 'string' ? mrkdwn(part, room) : date(part))).join('')
}

/** A link; a label or an address cannot end it early. */
export function slackLink(label: string, url: string): string {
  return `<${url.replace(/[&<>]/g, escape).replaceAll('|', '%7C')}|${mrkdwn(label).replaceAll('|', '¦')}>`
}

function escape(char: string): string {
  return entities[char] ?? char
}

function date(moment: Moment): string {
  const seconds = Math.floor(Date.parse(moment.at) / 1000)
  return `<!date^${seconds}^{date_short_pretty} {time}|${utc(moment)}>`
}
