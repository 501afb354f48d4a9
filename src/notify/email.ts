import { htmlOf } from './email-html.ts'
import type { Format } from './format.ts'
import { headlineOf, messageOf } from './message.ts'
import type { Lines, Message } from './message.ts'
import type { StageList } from './stage-list.ts'
import { clip, plainWords } from './words.ts'

const maxSubject = 150

/** A mail: subject, text and HTML say the same. Moments are in UTC, since a mail cannot do better. */
export const email: Format = {
  isMessage: true,
  // Mail servers count how much one sender sends; a person reads no faster either.
  per10s: 30,
  request(event, surroundings) {
    const message = messageOf(event, surroundings)
    return {
      via: 'mail',
      subject: clip(headlineOf(message), maxSubject),
      text: textOf(message),
      html: htmlOf(message),
    }
  },
  judge: ({ status }) => (status >= 200 && status < 300 ? 'delivered' : 'retry'),
}

/** Sections with an empty line between them. */
function textOf(message: Message): string {
  const { says, quote, late, facts, stages, messages, links, source } = message
  const sections: (readonly string[])[] = [
    wrap(headlineOf(message)),
    late === null ? [] : wrap(plainWords(late.says)),
    late?.now ? wrap(late.now) : [],
    wrap(plainWords(says)),
    quote === null ? [] : wrap(quote, '> ', '> '),
    facts.flatMap(({ label, value }) =>
      wrap(plainWords(value), `${label}:`.padEnd(indent.length), indent),
    ),
    stages === null ? [] : stageLines(stages),
    messages === null ? [] : listLines(messages),
    late?.meanwhile ? listLines(late.meanwhile) : [],
    links.flatMap(({ label, url }) => [`${label}:`, url]),
    ['-- ', ...wrap(plainWords(source))],
  ]
  const shown = sections.filter((lines) => lines.length > 0)
  return `${shown.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

const indent = ' '.repeat(14)

function stageLines({ progress, stages, more }: StageList): string[] {
  return [
    `${progress}:`,
    ...stages.flatMap(({ face, name, state }) =>
      wrap(`${name}: ${state}`, `  ${face.emoji} `, '     '),
    ),
    ...(more > 0 ? [`  … and ${more} more`] : []),
  ]
}

function listLines({ label, lines, before }: Lines): string[] {
  return [
    `${label}:`,
    ...(before > 0 ? [`  … ${before} more before`] : []),
    ...lines.flatMap((words) => wrap(plainWords(words), '  • ', '    ')),
  ]
}

const maxColumns = 76

/** Lines of a width that mail can be read in; a word that is longer has one for itself. */
function wrap(text: string, first = '', next = ''): string[] {
  const lines: string[] = []
  let line = first
  let isEmpty = true
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + word.length >= maxColumns) {
      lines.push(line)
      line = next
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return text === '' ? [] : [...lines, line]
}
