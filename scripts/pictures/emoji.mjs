// Machines that make pictures often have no font with emoji, so they are drawn.
const disc = (colour) => `<circle cx="10" cy="10" r="8" fill="${colour}"/>`
const box = (colour, sign) =>
  `<rect x="1" y="1" width="18" height="18" rx="4" fill="${colour}"/>${stroke('#fff', sign)}`
const stroke = (colour, path, width = 2.6) =>
  `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round"/>`
const hourglass =
  '<path d="M5 2h10v3l-4 5 4 5v3H5v-3l4-5-4-5z" fill="#f5deb3"/>' +
  stroke('#8a6d3b', 'M4 2h12M4 18h12M5.5 2v3l3.5 5-3.5 5v3M14.5 2v3l-3.5 5 3.5 5v3', 1.6)

const bell =
  '<path d="M10 2a5 5 0 0 0-5 5v4l-2 3h14l-2-3V7a5 5 0 0 0-5-5z" fill="#ffac33"/>' +
  '<circle cx="10" cy="16.5" r="1.8" fill="#ffac33"/>'

const drawings = {
  '❌': stroke('#dd2e44', 'M4 4l12 12M16 4L4 16', 4),
  '✅': box('#3fa650', 'M5.5 10.5l3 3 6-7'),
  '⏳': hourglass,
  '⌛': hourglass,
  '▶️': box('#3b88c3', 'M8 6l6 4-6 4z'),
  '⚠️': `<path d="M10 2l9 16H1z" fill="#ffcc4d"/>${stroke('#231f20', 'M10 8v4M10 15v.1')}`,
  '🚫': `<circle cx="10" cy="10" r="7.5" fill="none" stroke="#dd2e44" stroke-width="2.6"/>${stroke('#dd2e44', 'M5 5l10 10')}`,
  '🔔': bell,
  '🔕': bell + stroke('#dd2e44', 'M3 3l14 14', 2),
  '🔴': disc('#dd2e44'),
  '🟢': disc('#3fa650'),
}

const signs = new RegExp(Object.keys(drawings).join('|'), 'gu')
const size = 'width:1.05em;height:1.05em;vertical-align:-.16em'

function drawingOf(sign) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20" style="${size}">${drawings[sign]}</svg>`
}

/** HTML with a drawing in the place of each emoji. */
export function withEmoji(html) {
  return html.replace(signs, drawingOf)
}

/** The same in a page that is open in a browser. */
export async function drawEmoji(page) {
  const images = Object.keys(drawings).map((sign) => [
    sign,
    `data:image/svg+xml,${encodeURIComponent(drawingOf(sign))}`,
  ])
  await page.evaluate(
    ([known, style]) => {
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
      const texts = []
      while (walker.nextNode()) texts.push(walker.currentNode)
      for (const text of texts) {
        const found = known.find(([sign]) => text.data.trim().startsWith(sign))
        if (found === undefined) continue
        const image = new Image()
        image.src = found[1]
        image.style.cssText = style
        text.data = text.data.replace(found[0], '')
        text.before(image)
      }
    },
    [images, size],
  )
}
