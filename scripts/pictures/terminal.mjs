// What a command shows on a terminal, as HTML: it runs in a real one, of which the screen is read.
import pty from '@lydell/node-pty'
import xterm from '@xterm/headless'

const colours = {
  1: '#ff8f85',
  2: '#6fce8c',
  3: '#f0bf5b',
  6: '#67cbe0',
}

/** Runs a command until the screen fits; resolves with the rows that have text, as HTML. */
export async function screenOf(file, args, { cols, rows, env, fits }) {
  const screen = new xterm.Terminal({ cols, rows, allowProposedApi: true })
  const child = pty.spawn(file, args, { cols, rows, env: { ...process.env, ...env } })
  const html = await new Promise((resolve) => {
    child.onData((data) =>
      screen.write(data, () => {
        const lines = linesOf(screen)
        if (fits(lines.map(({ text }) => text))) resolve(lines.map(({ html }) => html))
      }),
    )
  })
  child.kill()
  return terminalPage(args, html)
}

function linesOf(screen) {
  const buffer = screen.buffer.active
  return Array.from({ length: screen.rows }, (_, row) => buffer.getLine(row))
    .map((line) => ({ text: line.translateToString(true), html: lineHtml(line, screen.cols) }))
    .filter(({ text }) => text !== '')
}

function lineHtml(line, cols) {
  let html = ''
  for (let column = 0; column < cols; column++) {
    const cell = line.getCell(column)
    if (cell.getWidth() === 0) continue
    const colour = cell.isFgPalette() ? colours[cell.getFgColor()] : undefined
    const style = [colour && `color:${colour}`, cell.isDim() && 'opacity:.6'].filter(Boolean)
    const text = (cell.getChars() || ' ').replace(/&/g, '&amp;').replace(/</g, '&lt;')
    html += style.length === 0 ? text : `<span style="${style.join(';')}">${text}</span>`
  }
  // To this emulator it takes one column, to the terminals of people two.
  return html.trimEnd().replace('▶ ', '▶️')
}

function terminalPage([, ...words], lines) {
  const shown = words.map((word) => (word.length > 20 ? `${word.slice(0, 9)}…` : word)).join(' ')
  return `<!doctype html><body><div class="terminal"><b>$ jobwatch ${shown}</b>\n${lines.join('\n')}</div>
    <style>
      .terminal { background: #14171c; color: #e8eaee; padding: 18px 22px; white-space: pre;
        font: 14px/1.6 "DejaVu Sans Mono", monospace; }
      b { color: #a0a8b5; font-weight: 400; }
    </style>`
}
