// Shows a payload for a Slack webhook about as Slack does: the few blocks that jobwatch uses.

/** The page of a channel with these payloads in it, as HTML. */
export function slackPage(payloads) {
  return `<!doctype html><style>${css}</style><main>${payloads.map(message).join('')}</main>`
}

const css = `
main { width: 640px; padding: 20px 24px 12px; background: #fff; color: #1d1c1d; font: 15px/1.47 Sans }
article { display: grid; grid-template-columns: 36px 1fr; gap: 12px; margin-bottom: 20px }
.avatar { width: 36px; height: 36px; border-radius: 8px; background: #1d3557; color: #fff;
  font-weight: bold; text-align: center; line-height: 36px }
.app { background: #e8e8e8; color: #616061; font-size: 10px; padding: 1px 4px; border-radius: 3px }
small { color: #616061; font-size: 12px }
h3 { font-size: 18px; line-height: 1.33; margin: 2px 0 6px }
p { margin: 4px 0 8px }
blockquote { margin: 4px 0; padding-left: 12px; border-left: 4px solid #ddd }
.bar { border-left: 4px solid; border-radius: 4px; padding-left: 12px; margin-top: 4px }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 16px; margin: 4px 0 10px }
.context { color: #616061; font-size: 12px }
a { color: #1264a3; text-decoration: none }`

function message({ blocks, attachments }) {
  const bars = attachments.map(
    ({ color, blocks: inner }) =>
      `<div class="bar" style="border-color:${color}">${inner.map(block).join('')}</div>`,
  )
  return `<article><div class="avatar">jw</div><div><b>jobwatch</b> <span class="app">APP</span>
    ${blocks.map(block).join('')}${bars.join('')}</div></article>`
}

function block({ type, text, fields, elements }) {
  if (type === 'header') return `<h3>${escape(text.text)}</h3>`
  if (type === 'context') return `<p class="context">${elements.map(shown).join(' ')}</p>`
  if (fields)
    return `<div class="fields">${fields.map((f) => `<div>${shown(f)}</div>`).join('')}</div>`
  return `<p>${shown(text)}</p>`
}

/** Slack's mrkdwn, in which `&`, `<` and `>` are escaped already. */
function shown({ text }) {
  return text
    .replace(/<!date\^(\d+)\^[^|]*\|[^>]*>/g, (_, seconds) => dateOf(Number(seconds)))
    .replace(/<(https?:[^|>]*)\|([^>]*)>/g, '<a href="$1">$2</a>')
    .replace(/(?<![\w*])\*([^*\n]+)\*(?![\w*])/g, '<b>$1</b>')
    .replace(/^> (.*)$\n?/gm, '<blockquote>$1</blockquote>')
    .replaceAll('\n', '<br>')
}

function dateOf(seconds) {
  const at = new Date(seconds * 1000).toISOString()
  const day = new Date(at).toLocaleDateString('en-US', {
    month: 'short',
    day: 'numeric',
    timeZone: 'UTC',
  })
  return `${day} ${at.slice(11, 16)}`
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
