// Shows a message for a Teams webhook about as Teams does: the few elements that jobwatch uses.

/** The page of a channel with these messages in it, as HTML. */
export function teamsPage(messages) {
  const cards = messages.map(({ attachments: [{ content }] }) => card(content))
  return `<!doctype html><style>${css}</style><main>${cards.join('')}</main>`
}

const css = `
main { width: 640px; padding: 20px; background: #f5f5f5; color: #242424; font: 14px/1.43 Sans }
article { background: #fff; border-radius: 6px; padding: 16px; margin-bottom: 12px; overflow: hidden;
  box-shadow: 0 1px 3px rgba(0, 0, 0, .2) }
article > * + * { margin-top: 8px }
.None { margin-top: 0 !important } .Medium { margin-top: 16px !important }
.Container { border-radius: 4px; padding: 10px 12px } .bleed { margin: -16px -16px 0; border-radius: 0; padding: 12px 16px }
.emphasis { background: #f0f0f0 } .attention { background: #fbeaea } .good { background: #eaf5e9 }
.warning { background: #fdf3e2 } .accent { background: #eceefb }
.ColumnSet { display: flex; gap: 8px }
.size-Large { font-size: 18px } .size-Medium { font-size: 16px } .size-Small { font-size: 12px }
.Bolder { font-weight: bold } .subtle { color: #616161 }
.Attention { color: #c4314b } .Good { color: #237b4b } .Warning { color: #8f5a00 } .Accent { color: #4f52b2 }
button { font: bold 13px Sans; color: #242424; background: #fff; border: 1px solid #c7c7c7; border-radius: 4px;
  padding: 6px 14px; margin-right: 8px }`

function card({ body, actions = [] }) {
  const buttons = actions.map(({ title }) => `<button>${escape(title)}</button>`)
  return `<article>${body.map(element).join('')}<div class="Medium">${buttons.join('')}</div></article>`
}

function element({ type, style = '', bleed, spacing = '', items, columns, inlines }) {
  const classes = `${type} ${style} ${spacing} ${bleed ? 'bleed' : ''}`
  const inner = items?.map(element) ?? columns?.map(column) ?? inlines.map(run)
  return `<div class="${classes}">${inner.join('')}</div>`
}

function column({ width, items }) {
  const style = width === 'stretch' ? 'flex:1' : `width:${width}`
  return `<div style="${style}">${items.map(element).join('')}</div>`
}

function run({ text, size = '', weight = '', color = '', isSubtle }) {
  const classes = `size-${size} ${weight} ${color} ${isSubtle ? 'subtle' : ''}`
  const moments = text
    .replace(/\{\{DATE\(([^,)]*), SHORT\)\}\}/g, (_, at) => day(at))
    .replace(/\{\{TIME\(([^)]*)\)\}\}/g, (_, at) => at.slice(11, 16))
  return `<span class="${classes}">${escape(moments)}</span>`
}

function day(at) {
  const options = {
    weekday: 'short',
    month: 'short',
    day: 'numeric',
    year: 'numeric',
    timeZone: 'UTC',
  }
  return new Date(at).toLocaleDateString('en-US', options)
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
