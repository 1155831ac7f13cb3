/** Colours for classes: the first ten far apart also for who sees fewer colours, then around the circle. */

// Okabe and Ito 2008, without black and yellow (both vanish on one of the two grounds), and four more.
const FIRST = ['#0072b2', '#e69f00', '#009e73', '#d55e00', '#cc79a7', '#56b4e9', '#8a6fdf', '#9a9a2e', '#a0522d', '#c03a64']
export const grey = '#909090'

/** `count` colours as CSS. */
export function colours(count) {
  return Array.from({ length: count }, (_, place) => FIRST[place] ?? around(place))
}

function around(place) {
  const [hue, light] = [((place * 137.508) % 360) / 360, 0.42 + 0.16 * (place % 3 === 0) + 0.08 * (place % 2)]
  const part = (offset) => {
    const k = (offset + hue * 12) % 12
    const value = light - 0.62 * Math.min(light, 1 - light) * Math.max(-1, Math.min(k - 3, 9 - k, 1))
    return Math.round(value * 255).toString(16).padStart(2, '0')
  }
  return `#${part(0)}${part(8)}${part(4)}`
}

/** The same as pixels of a canvas on a little-endian machine. */
export function packed(count) {
  return Uint32Array.from(colours(count), (colour) => {
    const value = parseInt(colour.slice(1), 16)
    return (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0
  })
}
