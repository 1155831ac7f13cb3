/** The map: every item a point; drag over some to list them. Drawn as pixels, so that 100,000 stay fluid. */

import { make, show } from '../lib/dom.js'
import { getBytes, thumbnail } from './api.js'
import { colours, grey, packed } from './colours.js'
import { Grid } from './grid.js'
import { itemCount, items } from './items.js'

const NOWHERE = 65535
const CELLS = 64
const RIM = 24

export class DataMap {
  title = 'Map'
  zoom = 1
  middle = [0.5, 0.5]
  lit = null

  constructor(page) {
    this.page = page
    const { summary } = page
    const select = (label, values) => make('select', { 'aria-label': label }, ...values.map((value) => make('option', { value }, value)))
    this.by = select('Coloured by', summary.coloured_by.length ? summary.coloured_by : ['label'])
    this.method = select('Method', summary.methods)
    this.by.addEventListener('change', () => this.colour())
    this.method.addEventListener('change', () => this.load())
    const field = (text, control) => make('label', { class: 'field' }, make('span', { class: 'soft' }, text), control)
    const button = (key, text, name, act) => make('button', { type: 'button', 'data-key': key, 'aria-label': name, title: `${name} (${key})`, onclick: act }, text)
    this.canvas = make('canvas', { tabindex: '0', role: 'img', 'aria-label': 'Map of the items. Arrows move it, plus and minus zoom, B lists what is in view.' })
    this.brush = make('div', { class: 'brush', hidden: true })
    this.tip = make('div', { class: 'tip card', hidden: true }, make('img', { alt: '' }), make('span'))
    const zooms = make('div', { class: 'zooms' }, button('+', '+', 'Zoom in', () => this.zoomBy(1.5)), button('-', '−', 'Zoom out', () => this.zoomBy(1 / 1.5)), button('0', '⤢', 'Show all', () => this.whole()))
    this.plane = make('div', { class: 'plane card' }, this.canvas, this.brush, zooms, this.tip)
    this.legend = make('ul', { class: 'legend', 'aria-label': 'Colours' })
    this.head = make('p', { class: 'soft' }, 'Drag over points to list them; the wheel zooms, Shift and drag moves.')
    this.view = button('B', 'List what is in view', 'List what is in view', () => this.listView())
    this.review = make('button', { type: 'button', class: 'main', onclick: () => this.page.list(this.grid.rows, 'map') }, 'Review these', make('kbd', {}, 'L'))
    show(this.review, false)
    this.grid = new Grid('Items chosen on the map')
    this.grid.addEventListener('open', () => this.page.similar(this.grid.row))
    const filters = make('div', { class: 'filters' }, field('Colour', this.by), summary.methods.length > 1 ? field('Method', this.method) : null, this.view, this.review)
    this.element = make('section', { class: 'view map', 'aria-label': 'Map' }, filters, this.head, make('div', { class: 'split' }, make('div', { class: 'left' }, this.plane, this.legend), this.grid.element))
    this.listen()
  }

  async enter() {
    if (!this.points) await this.load()
    this.size()
  }

  async load() {
    this.head.textContent = 'The map is being made…'
    this.points = new Uint16Array(await getBytes('api/map/points', { method: this.method.value }))
    const placed = this.points.filter((value, index) => index % 2 === 0 && value !== NOWHERE).length
    const missing = this.points.length / 2 - placed
    this.cells = null
    await this.colour()
    this.head.textContent = `${placed.toLocaleString('en')} items${missing ? `, ${missing.toLocaleString('en')} without a vector` : ''}. Drag over points to list them; the wheel zooms, Shift and drag moves.`
  }

  async colour() {
    const asking = (this.asking = Symbol('colour'))
    const bytes = await getBytes('api/map/codes', { by: this.by.value })
    if (asking !== this.asking) return
    const length = new DataView(bytes).getUint32(0, true)
    this.names = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)))
    this.codes = new Int32Array(bytes.slice(4 + length))
    this.lit = null
    this.drawLegend()
    this.size()
  }

  drawLegend() {
    const shade = colours(this.names.length)
    this.legend.replaceChildren(
      ...this.names.slice(0, 60).map(([name, count], code) => {
        const mark = make('i')
        mark.style.background = name ? shade[code] : grey
        const pressed = this.lit === (name ? code : -1)
        return make('li', {}, make('button', { type: 'button', class: 'plain', 'aria-pressed': String(pressed), onclick: () => this.light(name ? code : -1) }, mark, ` ${name || 'none'} `, make('span', { class: 'soft' }, count.toLocaleString('en'))))
      }),
      ...(this.names.length > 60 ? [make('li', { class: 'soft' }, `and ${this.names.length - 60} more`)] : []),
    )
  }

  light(code) {
    this.lit = this.lit === code ? null : code
    this.drawLegend()
    this.draw()
  }

  size() {
    const { width, height } = this.plane.getBoundingClientRect()
    if (!width || !this.codes) return
    const ratio = Math.min(2, devicePixelRatio)
    this.canvas.width = Math.round(width * ratio)
    this.canvas.height = Math.round(height * ratio)
    this.ratio = ratio
    this.draw()
  }

  /** Scale and offset: unit square → canvas pixels. */
  frame() {
    const { width, height } = this.canvas
    const scale = (Math.min(width, height) - RIM * this.ratio) * this.zoom
    return [scale, width / 2 - this.middle[0] * scale, height / 2 - this.middle[1] * scale]
  }

  drawSoon() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null
      this.draw()
    })
  }

  draw() {
    const { width, height } = this.canvas
    if (!width || !this.codes) return
    const began = performance.now()
    const context = this.canvas.getContext('2d')
    const image = context.createImageData(width, height)
    const pixels = new Uint32Array(image.data.buffer)
    const shades = packed(this.names.length)
    const pale = matchMedia('(prefers-color-scheme: dark)').matches ? 0xff453d3a : 0xffdcd6d2
    const [scale, left, top] = this.frame()
    const { length } = this.codes
    const dot = Math.round((length > 30_000 ? 2 : length > 5000 ? 3 : length > 500 ? 4 : 6) * this.ratio * Math.min(2, Math.sqrt(this.zoom)))
    const unit = scale / (NOWHERE - 1)
    const paint = (index, shade) => {
      if (this.points[2 * index] === NOWHERE) return
      const x = (left + this.points[2 * index] * unit) | 0
      const y = (top + this.points[2 * index + 1] * unit) | 0
      if (x < 0 || y < 0 || x + dot > width || y + dot > height) return
      for (let row = 0; row < dot; row++) pixels.fill(shade, (y + row) * width + x, (y + row) * width + x + dot)
    }
    for (let i = 0; i < this.codes.length; i++) {
      const code = this.codes[i]
      if (this.lit === null) paint(i, code < 0 ? 0xff909090 : shades[code])
      else if (this.lit !== code) paint(i, pale)
    }
    if (this.lit !== null) for (let i = 0; i < this.codes.length; i++) if (this.codes[i] === this.lit) paint(i, this.lit < 0 ? 0xff909090 : shades[this.lit])
    context.putImageData(image, 0, 0)
    this.lastMs = performance.now() - began
  }

  zoomBy(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    const [scale, left, top] = this.frame()
    const unit = [(x - left) / scale, (y - top) / scale]
    this.zoom = Math.max(1, Math.min(200, this.zoom * factor))
    const [after] = this.frame()
    this.middle = [unit[0] - (x - this.canvas.width / 2) / after, unit[1] - (y - this.canvas.height / 2) / after]
    if (this.zoom === 1) this.middle = [0.5, 0.5]
    this.drawSoon()
  }

  whole() {
    this.zoom = 1
    this.middle = [0.5, 0.5]
    this.drawSoon()
  }

  move(dx, dy) {
    const [scale] = this.frame()
    this.middle = [this.middle[0] - dx / scale, this.middle[1] - dy / scale]
    this.drawSoon()
  }

  /** Rows inside a rectangle of canvas pixels. */
  inside(x0, y0, x1, y1) {
    const [scale, left, top] = this.frame()
    const unit = scale / (NOWHERE - 1)
    const found = []
    for (let i = 0; i < this.codes.length; i++) {
      if (this.points[2 * i] === NOWHERE || (this.lit !== null && this.codes[i] !== this.lit)) continue
      const x = left + this.points[2 * i] * unit
      const y = top + this.points[2 * i + 1] * unit
      if (x >= x0 && x <= x1 && y >= y0 && y <= y1) found.push(i)
    }
    return found
  }

  choose(rows) {
    show(this.review, rows.length > 0)
    const said = rows.length ? `${itemCount(rows.length)} chosen.` : 'No item lies there.'
    this.head.textContent = said
    this.page.speak(said)
    this.grid.set(Int32Array.from(rows))
  }

  listView() {
    if (!this.codes) return
    this.choose(this.inside(0, 0, this.canvas.width, this.canvas.height))
  }

  /** The nearest point within a few pixels, by cells so that hovering costs nothing. */
  nearest(x, y) {
    if (!this.cells) {
      this.cells = Array.from({ length: CELLS * CELLS }, () => [])
      for (let i = 0; i < this.codes.length; i++) {
        if (this.points[2 * i] === NOWHERE) continue
        this.cells[cell(this.points[2 * i + 1] / NOWHERE) * CELLS + cell(this.points[2 * i] / NOWHERE)].push(i)
      }
    }
    const [scale, left, top] = this.frame()
    const [u, v] = [(x - left) / scale, (y - top) / scale]
    const reach = (8 * this.ratio) / scale
    let best = null
    let least = reach * reach
    for (let row = cell(v - reach); row <= cell(v + reach); row++) {
      for (let column = cell(u - reach); column <= cell(u + reach); column++) {
        for (const i of this.cells[row * CELLS + column]) {
          const apart = (this.points[2 * i] / (NOWHERE - 1) - u) ** 2 + (this.points[2 * i + 1] / (NOWHERE - 1) - v) ** 2
          if (apart < least) [best, least] = [i, apart]
        }
      }
    }
    return best
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect()
    return [(event.clientX - box.left) * this.ratio, (event.clientY - box.top) * this.ratio]
  }

  listen() {
    let began = null
    const fingers = new Map()
    this.canvas.addEventListener('pointerdown', (event) => {
      if (!this.codes) return
      this.canvas.setPointerCapture(event.pointerId)
      fingers.set(event.pointerId, this.at(event))
      began = fingers.size === 1 ? { at: this.at(event), moving: event.shiftKey || event.button === 1 } : null
      show(this.tip, false)
    })
    this.canvas.addEventListener('pointermove', (event) => {
      const now = this.at(event)
      const before = fingers.get(event.pointerId)
      if (!before) return this.hover(event, now)
      if (fingers.size === 2) this.pinch(fingers, event.pointerId, now)
      else if (began?.moving) this.move(now[0] - before[0], now[1] - before[1])
      else if (began) this.drawBrush(began.at, now)
      fingers.set(event.pointerId, now)
    })
    const end = (event) => {
      if (!fingers.delete(event.pointerId) || !began || event.type === 'pointercancel') return show(this.brush, false)
      const [a, b] = [began.at, this.at(event)]
      show(this.brush, false)
      if (began.moving) return
      const small = Math.hypot(a[0] - b[0], a[1] - b[1]) < 4 * this.ratio
      if (!small) return this.choose(this.inside(Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])))
      const point = this.nearest(...b)
      if (point !== null) this.choose([point])
    }
    for (const name of ['pointerup', 'pointercancel']) this.canvas.addEventListener(name, end)
    this.canvas.addEventListener('pointerleave', () => show(this.tip, false))
    this.canvas.addEventListener('wheel', (event) => {
      event.preventDefault()
      if (this.codes) this.zoomBy(1.0015 ** -event.deltaY, ...this.at(event))
    })
    new ResizeObserver(() => this.size()).observe(this.plane)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw())
    items.addEventListener('change', () => this.hovered !== undefined && this.fillTip())
  }

  pinch(fingers, id, now) {
    const [other] = [...fingers].filter(([each]) => each !== id).map(([, at]) => at)
    const before = fingers.get(id)
    const factor = Math.hypot(now[0] - other[0], now[1] - other[1]) / Math.max(1, Math.hypot(before[0] - other[0], before[1] - other[1]))
    this.zoomBy(factor, (now[0] + other[0]) / 2, (now[1] + other[1]) / 2)
    this.move((now[0] - before[0]) / 2, (now[1] - before[1]) / 2)
  }

  drawBrush(a, b) {
    show(this.brush, true)
    const place = (value) => `${value / this.ratio}px`
    Object.assign(this.brush.style, {
      left: place(Math.min(a[0], b[0])), top: place(Math.min(a[1], b[1])),
      width: place(Math.abs(a[0] - b[0])), height: place(Math.abs(a[1] - b[1])),
    })
  }

  hover(event, now) {
    if (!this.codes || event.pointerType === 'touch') return
    const row = this.nearest(...now)
    show(this.tip, row !== null)
    if (row === null || row === this.hovered) return
    this.hovered = row
    const [x, y] = [now[0] / this.ratio, now[1] / this.ratio]
    const { width } = this.plane.getBoundingClientRect()
    Object.assign(this.tip.style, { left: `${Math.min(x + 12, width - 170)}px`, top: `${Math.max(4, y - 170)}px` })
    this.tip.firstElementChild.src = thumbnail(row)
    items.want([row])
    this.fillTip()
  }

  fillTip() {
    const [name] = this.codes[this.hovered] >= 0 ? this.names[this.codes[this.hovered]] : ['none']
    this.tip.lastElementChild.textContent = `${name} · ${items.get(this.hovered)?.path ?? ''}`
  }

  key({ key }) {
    if (!this.codes) return false
    const step = 60 * (this.ratio ?? 1)
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }
    if (key in moves && document.activeElement !== this.grid.element) this.move(...moves[key])
    else if (key === '+' || key === '=') this.zoomBy(1.5)
    else if (key === '-') this.zoomBy(1 / 1.5)
    else if (key === '0') this.whole()
    else if (key.toLowerCase() === 'b') this.listView()
    else if (key.toLowerCase() === 'f' && this.grid.rows.length) this.page.similar(this.grid.row)
    else if (key.toLowerCase() === 'l' && this.grid.rows.length) this.page.list(this.grid.rows, 'map')
    else return false
    return true
  }
}

const cell = (unit) => Math.max(0, Math.min(CELLS - 1, Math.floor(unit * CELLS)))
