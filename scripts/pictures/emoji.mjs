// Machines that make pictures often have no font with emoji, so they are drawn.
const disc = (colour) => `<circle cx="10" cy="10" r="8" fill="${colour}"/>`
const box = (colour, sign) =>
  `<rect x="1" y="1" width="18" height="18" rx="4" fill="${colour}"/>${stroke('#fff', sign)}`
const stroke = (colour, path, width = 2.6) =>
  `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round"/>`
const hourglass =
  '<path d="M5 2h10v3l-4 5 4 5v3H5v-3l4-5-4-5z" fill="#f5deb3"/>' +
  stroke('#8a6d3b', 'M4 2h12M4 18h12M5.5 2v3l3.5 5-3.5 5v3M14.5 2v3l-3.5 5 3.5 5v3', 1.6)

const drawings = {
  '❌': stroke('#dd2e44', 'M4 4l12 12M16 4L4 16', 4),
  '✅': box('#3fa650', 'M5.5 10.5l3 3 6-7'),
  '⏳': hourglass,
  '⌛': hourglass,
  '▶️': box('#3b88c3', 'M8 6l6 4-6 4z'),
  '⚠️': `<path d="M10 2l9 16H1z" fill="#ffcc4d"/>${stroke('#231f20', 'M10 8v4M10 15v.1')}`,
  '🔴': disc('#dd2e44'),
  '🟢': disc('#3fa650'),
}

/** HTML with a drawing in the place of each emoji. */
export function withEmoji(html) {
  return html.replace(new RegExp(Object.keys(drawings).join('|'), 'gu'), (sign) => {
    const style = 'width:1.05em;height:1.05em;vertical-align:-.16em'
    return `<svg viewBox="0 0 20 20" style="${style}">${drawings[sign]}</svg>`
  })
}
