/** Search: an item by its name or id, and the items most like it. */

import { make, show } from '../lib/dom.js'
import { getJson, picture } from './api.js'
import { Grid, labelCaption, sharpen } from './grid.js'
import { given, itemCount, items } from './items.js'

export class Search {
  title = 'Search'
  similarity = new Map()
  row = null

  constructor(page) {
    this.page = page
    this.input = make('input', { type: 'text', 'aria-label': 'Name or id', placeholder: 'part of a name, or an id', spellcheck: 'false', maxlength: '500' })
    const form = make('form', { class: 'row find' }, this.input, make('button', { class: 'main' }, 'Find'))
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      this.find(this.input.value.trim())
    })
    this.image = make('img', { alt: '', onload: ({ target }) => sharpen(target) })
    this.of = make('p', { class: 'soft' })
    this.about = make('div', { class: 'about card', hidden: true }, this.image, this.of)
    this.head = make('p', { class: 'soft' }, page.summary.vectors ? 'Enter on a picture shows what is most like it.' : '')
    this.review = make('button', { type: 'button', onclick: () => this.page.list(this.grid.rows, 'search') }, 'Review these')
    show(this.review, false)
    this.grid = new Grid('Found', { caption: (item) => this.caption(item) })
    this.grid.addEventListener('open', () => this.page.similar(this.grid.row))
    this.element = make('section', { class: 'view', 'aria-label': 'Search' }, make('div', { class: 'filters' }, form, this.review), this.about, this.head, this.grid.element)
  }

  async enter({ row, text }) {
    if (row !== undefined) await this.neighbours(Number(row))
    else if (text) await this.find(text)
    else this.input.focus()
  }

  caption(item) {
    const [first, second, state] = labelCaption(item)
    const near = this.similarity.get(item.row)
    return [first, near === undefined ? second : `${near.toFixed(2)} alike${state === 'open' ? '' : `, ${second}`}`, state]
  }

  async find(text) {
    if (!text) return
    this.input.value = text
    this.page.remember({ text })
    const { rows } = await getJson('api/find', { text })
    this.similarity.clear()
    show(this.about, false)
    this.put(rows, rows.length ? `${itemCount(rows.length)}${rows.length === 200 ? ' and perhaps more' : ''}.` : 'No name or id holds that.')
  }

  async neighbours(row) {
    this.page.remember({ row })
    const [item] = await items.need([row])
    const { rows, similarity } = await getJson('api/neighbours', { row, count: 200 })
    this.row = row
    this.similarity = new Map(rows.map((each, place) => [each, similarity[place]]))
    this.image.src = picture(row)
    this.image.alt = item.path
    this.of.textContent = `${given(item) || 'no label'} · ${item.path}`
    show(this.about, true)
    this.put(rows, `The ${rows.length} items most like it.`)
  }

  put(rows, said) {
    this.head.textContent = said
    this.page.speak(said)
    show(this.review, rows.length > 0)
    this.grid.set(rows)
    this.grid.element.focus({ preventScroll: true })
  }

  key({ key }) {
    if (key === '/') this.input.select()
    else if (key.toLowerCase() === 'f' && this.grid.rows.length) this.page.similar(this.grid.row)
    else if (key.toLowerCase() === 'l' && this.grid.rows.length) this.page.list(this.grid.rows, 'search')
    else return false
    return true
  }
}
