/** Boxes of found objects, laid over a picture or a video of any size on the page. */

const SVG = 'http://www.w3.org/2000/svg'
const COLOURS = ['#14b8a6', '#f59e0b', '#ef4444', '#3b82f6', '#a855f7', '#84cc16', '#ec4899', '#0ea5e9']

function svg(tag, properties, text = '') {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value)
  element.textContent = text
  return element
}

/** A class keeps its colour, whatever else is in the picture. */
function colourOf(label) {
  let sum = 0
  for (const letter of label) sum = (sum * 31 + letter.codePointAt(0)) % 65521
  return COLOURS[sum % COLOURS.length]
}

/** Draw `{objects, width, height}` over what the figure shows; null takes the boxes away. */
export function drawBoxes(figure, found) {
  const old = figure.querySelector('svg.boxes')
  if (!found) return old?.remove()
  const { objects, width, height } = found
  const over = svg('svg', { class: 'boxes', viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' })
  const letters = Math.max(width, height) / 36
  for (const { label, score, box } of [...objects].reverse()) {
    const [x0, y0, x1, y1] = box
    const colour = colourOf(label)
    const place = { x: x0 + letters / 4, y: Math.max(y0 + letters, letters), 'font-size': letters }
    over.append(
      svg('rect', { x: x0, y: y0, width: x1 - x0, height: y1 - y0, stroke: colour }),
      svg('text', { ...place, stroke: '#111827' }, `${label} ${Math.round(score * 100)} %`),
    )
  }
  if (old) old.replaceWith(over)
  else figure.append(over)
}
