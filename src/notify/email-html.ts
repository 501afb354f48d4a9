import type { FaceColour } from '../core/face.ts'
import { headlineOf } from './message.ts'
import type { Fact, Lines, Link, Message } from './message.ts'
import type { StageList } from './stage-list.ts'
import { plainWords } from './words.ts'

/*
 * Mail programs know little HTML: tables, inline styles, no classes. Only what has a background of
 * its own has a colour of its own, so that the rest is legible on light and on dark.
 */
const colours: Readonly<Record<FaceColour, string>> = {
  red: '#cf222e',
  green: '#1a7f37',
  yellow: '#9a6700',
  cyan: '#0969da',
  dim: '#59636e',
}

/** A message as an HTML document for mail. */
export function htmlOf(message: Message): string {
  const { says, quote, late, facts, stages, messages, links, source } = message
  const subtle = `margin:20px 0 0;font-size:12px;opacity:.7`
  const parts = [
    headingOf(message),
    late === null ? '' : paragraph(`⌛ ${plainWords(late.says)}`, 'font-weight:bold'),
    late?.now ? paragraph(late.now, 'font-weight:bold') : '',
    paragraph(plainWords(says)),
    quote === null ? '' : quoteOf(quote, colours[message.face.colour]),
    factTable(facts),
    stages === null ? '' : stageTable(stages),
    messages === null ? '' : list(messages),
    late?.meanwhile ? list(late.meanwhile) : '',
    buttons(links),
    paragraph(plainWords(source), subtle),
  ]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\
<meta name="color-scheme" content="light dark"><title>${escape(headlineOf(message))}</title></head>
<body style="margin:0;padding:16px;font:15px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
<div style="max-width:600px;margin:0 auto;overflow-wrap:anywhere">
${parts.filter((part) => part !== '').join('\n')}
</div></body></html>
`
}

function headingOf({ face, word, title, place }: Message): string {
  const where = place === null ? title : `${title} (${place})`
  // A red sign would drown in a red bar.
  const chip = `<span style="padding:1px 4px;border-radius:4px;background:#fff">${face.emoji}</span>`
  return (
    `<div style="padding:12px 16px;border-radius:6px;background:${colours[face.colour]};color:#fff">` +
    `<div style="font-size:15px;font-weight:bold">${chip} ${escape(word)}</div>` +
    `<div style="font-size:20px;line-height:1.3;font-weight:bold">${escape(where)}</div></div>`
  )
}

function paragraph(text: string, style = ''): string {
  return text === '' ? '' : `<p style="margin:14px 0;${style}">${escape(text)}</p>`
}

function quoteOf(text: string, colour: string): string {
  const style = `margin:14px 0;padding:4px 0 4px 12px;border-left:4px solid ${colour}`
  return `<blockquote style="${style}">${escape(text)}</blockquote>`
}

function factTable(facts: readonly Fact[]): string {
  return table(facts.map(({ label, value }) => [faint(label), escape(plainWords(value))]))
}

function stageTable({ progress, stages, more }: StageList): string {
  const rows = stages.map(({ face, name, state }) => [
    `${face.emoji} ${escape(name)}`,
    escape(state),
  ])
  if (more > 0) rows.push([faint(`… and ${more} more`), ''])
  return caption(progress) + table(rows)
}

function list({ label, lines, before }: Lines): string {
  const rows = lines.map((words) => [escape(plainWords(words))])
  if (before > 0) rows.unshift([faint(`… ${before} more before`)])
  return caption(label) + table(rows)
}

function caption(text: string): string {
  return `<p style="margin:20px 0 4px;font-weight:bold">${escape(text)}</p>`
}

function faint(text: string): string {
  return `<span style="opacity:.7">${escape(text)}</span>`
}

/** Cells are HTML. */
function table(rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const cell = (html: string) =>
    `<td style="padding:3px 16px 3px 0;vertical-align:top">${html}</td>`
  const lines = rows.map((cells) => `<tr>${cells.map(cell).join('')}</tr>`)
  return `<table role="presentation" style="border-collapse:collapse">${lines.join('')}</table>`
}

function buttons(links: readonly Link[]): string {
  if (links.length === 0) return ''
  const style =
    'display:inline-block;margin:0 8px 8px 0;padding:8px 14px;border-radius:6px;' +
    `background:${colours.cyan};color:#fff;text-decoration:none`
  const anchors = links.map(
    ({ label, url }) => `<a href="${escape(url)}" style="${style}">${escape(label)}</a>`,
  )
  return `<p style="margin:20px 0 0">${anchors.join('')}</p>`
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => entities[char] ?? char)
}
