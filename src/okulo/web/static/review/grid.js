/** A grid of any number of pictures: only the tiles one can see exist. */

import { make } from '../lib/dom.js'
import { thumbnail } from './api.js'
import { decided, given, items, standing } from './items.js'

const GAP = 8
const WIDE = 148
const CAPTION = 46
const TALLEST = 15_000_000 // pixels; browsers cannot scroll further

export class Grid extends EventTarget {
  rows = []
  at = 0
  anchor = null
  tiles = new Map()

  /** `label`: what it is for who cannot see it. Events: `open` (enter, double click), `move`. */
  constructor(label, { caption = labelCaption } = {}) {
    super()
    this.caption = caption
    this.space = make('div', { class: 'grid-space' })
    this.element = make(
      'div',
      { class: 'grid card', tabindex: '0', role: 'listbox', 'aria-label': label, 'aria-multiselectable': 'true' },
      this.space,
    )
    this.element.addEventListener('scroll', () => this.drawSoon(), { passive: true })
    this.element.addEventListener('keydown', (event) => this.key(event))
    this.element.addEventListener('click', (event) => this.click(event))
    this.element.addEventListener('dblclick', () => this.open())
    new ResizeObserver(() => this.layOut()).observe(this.element)
    items.addEventListener('change', ({ detail }) => {
      for (const [place, tile] of this.tiles) if (detail.has(this.rows[place])) this.fill(tile, place)
    })
  }

  /** Show these rows. */
  set(rows, at = 0) {
    this.rows = rows
    this.at = Math.max(0, Math.min(at, rows.length - 1))
    this.anchor = null
    this.clear()
    this.layOut()
    this.reveal()
  }

  clear() {
    for (const tile of this.tiles.values()) tile.remove()
    this.tiles.clear()
  }

  get row() {
    return this.rows[this.at]
  }

  /** Rows that are chosen: from where Shift was pressed to where one is. */
  get chosen() {
    const [from, to] = this.range()
    return [...this.rows.slice(from, to + 1)]
  }

  range() {
    const other = this.anchor ?? this.at
    return [Math.min(other, this.at), Math.max(other, this.at)]
  }

  /** Go to a place in the list. */
  go(place, extend = false) {
    if (!this.rows.length) return
    this.anchor = extend ? (this.anchor ?? this.at) : null
    this.at = Math.max(0, Math.min(place, this.rows.length - 1))
    this.reveal()
    this.draw()
    this.dispatchEvent(new Event('move'))
  }

  key(event) {
    const page = this.columns * Math.max(1, Math.floor(this.element.clientHeight / this.high))
    const steps = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns,
      PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key in steps) this.go(this.at + steps[event.key], event.shiftKey)
    else if (event.key === 'Enter') this.open()
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  click(event) {
    const tile = event.target.closest('.tile')
    if (tile) this.go(Number(tile.dataset.place), event.shiftKey)
  }

  open() {
    if (this.rows.length) this.dispatchEvent(new Event('open'))
  }

  layOut() {
    const width = this.element.clientWidth - 2 * GAP
    if (width <= 0) return
    this.columns = Math.max(2, Math.floor((width + GAP) / (WIDE + GAP)))
    this.wide = Math.floor((width + GAP) / this.columns) - GAP
    this.high = this.wide + CAPTION + GAP
    const lines = Math.ceil(this.rows.length / this.columns)
    this.space.style.height = `${Math.min(TALLEST, lines * this.high + GAP)}px`
    this.clear()
    this.draw()
  }

  /** Scroll so that the present tile can be seen. */
  reveal() {
    if (!this.columns) return
    const top = Math.floor(this.at / this.columns) * this.high
    const { scrollTop, clientHeight } = this.element
    if (top < scrollTop) this.element.scrollTop = top
    else if (top + this.high + GAP > scrollTop + clientHeight) this.element.scrollTop = top + this.high + GAP - clientHeight
  }

  drawSoon() {
    if (this.waiting) return
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null
      this.draw()
    })
  }

  draw() {
    if (!this.columns) return
    const { scrollTop, clientHeight } = this.element
    const from = Math.max(0, Math.floor(scrollTop / this.high) - 1) * this.columns
    const to = Math.min(this.rows.length, (Math.ceil((scrollTop + clientHeight) / this.high) + 1) * this.columns)
    for (const [place, tile] of this.tiles) {
      if (place >= from && place < to) continue
      tile.querySelector('img').removeAttribute('src') // a picture that is still on its way is not waited for
      tile.remove()
      this.tiles.delete(place)
    }
    for (let place = from; place < to; place++) {
      let tile = this.tiles.get(place)
      if (!tile) this.tiles.set(place, (tile = this.tile(place)))
      this.mark(tile, place)
    }
    items.want(this.rows.slice(from, to + 4 * this.columns))
    this.loadSoon()
    this.element.setAttribute('aria-activedescendant', this.rows.length ? `${this.id}-${this.at}` : '')
  }

  id = `grid-${Math.random().toString(36).slice(2, 8)}`

  tile(place) {
    const image = make('img', { alt: '', width: this.wide, height: this.wide, draggable: 'false' })
    image.addEventListener('load', () => sharpen(image))
    const tile = make(
      'div',
      { class: 'tile', role: 'option', id: `${this.id}-${place}`, 'data-place': place },
      image,
      make('span', { class: 'first' }),
      make('span', { class: 'second soft' }),
    )
    const line = Math.floor(place / this.columns)
    tile.style.width = `${this.wide}px`
    tile.style.transform = `translate(${GAP + (place % this.columns) * (this.wide + GAP)}px, ${GAP + line * this.high}px)`
    this.space.append(tile)
    this.fill(tile, place)
    return tile
  }

  /** Ask for pictures when scrolling has come to rest: what flies by is not decoded. */
  loadSoon() {
    clearTimeout(this.loading)
    this.loading = setTimeout(() => {
      for (const [place, tile] of this.tiles) {
        const image = tile.querySelector('img')
        if (!image.getAttribute('src')) image.src = thumbnail(this.rows[place])
      }
    }, 60)
  }

  mark(tile, place) {
    const [from, to] = this.range()
    tile.classList.toggle('at', place === this.at)
    tile.setAttribute('aria-selected', String(place >= from && place <= to))
  }

  fill(tile, place) {
    const item = items.get(this.rows[place])
    if (!item) return
    const [first, second, state] = this.caption(item, place)
    const [, a, b] = tile.children
    a.textContent = first
    b.textContent = second
    tile.dataset.state = state
    tile.title = item.path
    tile.setAttribute('aria-label', `${first}, ${second}, ${item.path}`)
  }
}

/** Given label, and below it what was decided or is suggested. */
export function labelCaption(item) {
  const said = decided(item)
  const state = standing(item).some(({ answer }) => answer !== 'skip') ? 'decided' : said ? 'skipped' : 'open'
  const other = item.suggested !== item.label && item.suggested // of copies that disagree one may well be right
  const second = said ? `✓ ${said}` : other ? `→ ${other}?` : (item.issue ?? item.split ?? '')
  return [given(item) || 'no label', state === 'skipped' ? said : second, state]
}

/** Pictures of few pixels are shown as squares, not as a blur. */
export function sharpen(image) {
  image.classList.toggle('pixels', image.naturalWidth > 0 && image.naturalWidth * 2.5 <= image.clientWidth)
}
