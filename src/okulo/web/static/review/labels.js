/** Labels: is each item of the class it was given? One picture large, or many in a grid; the same keys in both. */

import { make, show } from '../lib/dom.js'
import { getBytes, getJson, picture, thumbnail } from './api.js'
import { chooseClass } from './choose.js'
import { filterButton } from './filters.js'
import { Grid, sharpen } from './grid.js'
import { decided, given, itemCount, items, standing } from './items.js'
import { verdicts } from './verdicts.js'

const AHEAD = 8
const KINDS = ['split', 'label', 'issue']
const TITLES = { split: 'Split', label: 'Class', issue: 'Issue' }
const STATES = [['open', 'to decide'], ['skipped', 'skipped'], ['decided', 'decided'], ['*', 'all']]

export class Labels {
  title = 'Labels'
  rows = []
  at = 0
  where = {}

  constructor(page) {
    this.page = page
    const { summary } = page
    this.where = { split: '*', label: '*', issue: summary.counts.issue.some(([name]) => name) ? '+' : '*', state: 'open' }
    this.grid = new Grid('Items to decide on')
    this.grid.addEventListener('move', () => this.go(this.grid.at))
    this.grid.addEventListener('open', () => this.look('one'))
    this.build(summary)
    items.addEventListener('change', ({ detail }) => {
      if (detail.has(this.row)) this.draw()
    })
  }

  get row() {
    return this.rows[this.at]
  }

  build(summary) {
    this.selects = KINDS.map((kind) => [kind, this.select(kind, summary)])
    const state = make('select', { 'aria-label': 'State' }, ...STATES.map(([value, text]) => make('option', { value }, text)))
    this.selects.push(['state', state])
    for (const [name, select] of this.selects) {
      select.addEventListener('change', () => {
        this.where[name] = select.value
        this.page.remember({ ...this.where, view: this.view })
        this.load()
      })
    }
    const views = ['one', 'grid'].map((view) => {
      const input = make('input', { type: 'radio', name: 'view', value: view })
      input.addEventListener('change', () => this.look(view))
      return make('label', {}, input, make('span', {}, view === 'one' ? 'One' : 'Grid'))
    })
    this.bar = make('progress', { max: '1', value: '0', 'aria-label': 'Decided' })
    this.count = make('span', { class: 'soft count' })
    const fields = this.selects
      .filter(([kind]) => kind === 'state' || summary.counts[kind].some(([name]) => name))
      .map(([kind, select]) => make('label', { class: 'field' }, make('span', { class: 'soft' }, TITLES[kind] ?? 'Show'), select))
    const choice = make('fieldset', { class: 'choice', 'aria-label': 'View' }, ...views)
    this.from = make('p', { class: 'note', hidden: true })
    this.filters = make('div', { class: 'filters' }, ...fields, choice, make('div', { class: 'progress' }, this.bar, this.count))
    this.filters.prepend(filterButton(this.filters))
    this.empty = make('p', { class: 'card empty', hidden: true })
    this.one = this.buildOne()
    this.actions = this.buildActions()
    this.work = make('div', { class: 'work' }, this.one, this.grid.element, this.actions)
    this.element = make('section', { class: 'view', 'aria-label': 'Labels' }, this.filters, this.from, this.empty, this.work)
  }

  select(kind, summary) {
    const counts = summary.counts[kind]
    const named = counts.filter(([name]) => name)
    const options = [make('option', { value: '*' }, kind === 'label' ? 'all classes' : kind === 'split' ? 'all splits' : 'all items')]
    if (kind === 'issue') {
      const total = named.reduce((sum, [, count]) => sum + count, 0)
      options.push(make('option', { value: '+' }, `any issue (${total.toLocaleString('en')})`))
    }
    for (const [name, count] of named) options.push(make('option', { value: `=${name}` }, `${name} (${count.toLocaleString('en')})`))
    const without = counts.find(([name]) => !name)
    if (without && kind !== 'issue') options.push(make('option', { value: '-' }, `without (${without[1].toLocaleString('en')})`))
    return make('select', { 'aria-label': TITLES[kind] }, ...options)
  }

  buildOne() {
    this.image = make('img', { alt: '', class: 'large' })
    this.image.addEventListener('load', () => sharpen(this.image))
    this.said = make('div', { class: 'said' })
    this.strip = make('div', { class: 'strip', 'aria-hidden': 'true' })
    return make('div', { class: 'one' }, make('div', { class: 'stage card' }, this.image), this.said, this.strip)
  }

  buildActions() {
    const button = (key, text, act, properties = {}) =>
      make('button', { type: 'button', 'data-key': key, onclick: act, ...properties }, text, make('kbd', {}, key))
    this.buttons = {
      keep: button('K', 'Keep', () => this.keep()),
      suggested: button('S', 'Suggested', () => this.change()),
      other: button('O', 'Other class…', () => this.other()),
      remove: button('R', 'Remove', () => this.remove()),
      skip: button('Space', 'Skip', () => this.skip()),
      undo: button('U', 'Undo', () => verdicts.undo()),
      similar: button('F', 'Find similar', () => this.page.similar(this.row)),
    }
    this.buttons.remove.title = 'take the item out of the data'
    show(this.buttons.similar, this.page.summary.vectors)
    show(this.buttons.remove, !this.page.summary.several)
    return make('div', { class: 'actions', role: 'group', 'aria-label': 'Decide' }, ...Object.values(this.buttons))
  }

  /** Come to this view with what the address says. */
  async enter(asked) {
    if (asked.rows) {
      this.rows = asked.rows
      show(this.from, true)
      this.from.replaceChildren(
        `A list of ${itemCount(asked.rows.length)} from the ${asked.source}. `,
        make('button', { type: 'button', onclick: () => this.leaveList() }, 'Back to the queue'),
      )
      this.list = asked
      this.look(asked.view ?? 'grid')
      return this.take()
    }
    for (const name of Object.keys(this.where)) if (name in asked) this.where[name] = asked[name]
    this.look(asked.view === 'grid' ? 'grid' : (this.view ?? 'one'), false)
    // Coming back, one is where one was.
    if (!this.list && this.loaded !== JSON.stringify(this.where)) await this.load()
    else this.draw()
  }

  leaveList() {
    this.list = null
    this.load()
  }

  async load() {
    this.list = null
    show(this.from, false)
    for (const [name, select] of this.selects) {
      select.value = this.where[name]
      if (select.selectedIndex < 0) select.value = this.where[name] = '*'
    }
    const asking = (this.asking = Symbol('queue'))
    const rows = new Int32Array(await getBytes('api/queue', this.where))
    if (asking !== this.asking) return // another filter was chosen meanwhile
    this.rows = rows
    this.loaded = JSON.stringify(this.where)
    await this.take()
  }

  async take(at = 0) {
    this.at = Math.max(0, at)
    this.grid.set(this.rows, this.at)
    if (this.rows.length) await items.need([...this.rows.slice(this.at, this.at + 20)])
    this.draw()
    if (this.view === 'grid' && document.activeElement === document.body) this.grid.element.focus({ preventScroll: true })
    this.progress()
  }

  look(view, remember = true) {
    this.view = view
    this.element.dataset.view = view
    for (const radio of this.element.querySelectorAll('[name=view]')) radio.checked = radio.value === view
    if (remember) this.page.remember({ ...this.where, view })
    if (view === 'grid') {
      this.grid.layOut()
      this.grid.go(this.at)
      this.grid.element.focus({ preventScroll: true })
    }
    this.draw()
  }

  go(at) {
    if (!this.rows.length) return
    this.at = Math.max(0, Math.min(at, this.rows.length - 1))
    if (this.view === 'grid' && this.grid.at !== this.at) this.grid.go(this.at)
    this.draw()
  }

  /** Go on to what is still open; stay where all that follows is decided. */
  next() {
    let at = this.at + 1
    while (at < this.rows.length && items.get(this.rows[at]) && standing(items.get(this.rows[at])).length) at++
    if (at >= this.rows.length) {
      this.page.say(`That was the last one of this list. ${this.where.state === 'open' ? 'U takes the last verdict back.' : ''}`)
      return this.draw()
    }
    this.go(at)
  }

  // what is decided

  chosen() {
    const rows = this.view === 'grid' ? this.grid.chosen : [this.row]
    return rows.map((row) => items.get(row)).filter(Boolean)
  }

  async decide(make) {
    const decisions = this.chosen().flatMap(make)
    if (!decisions.length || !(await this.page.askWho())) return
    verdicts.decide(decisions)
    if (this.view === 'grid') this.grid.go(this.grid.range()[1])
    this.at = this.view === 'grid' ? this.grid.at : this.at
    this.next()
    this.progressSoon()
  }

  has(item, value, holds) {
    return { item, question: 'has', answer: holds ? 'yes' : 'no', value }
  }

  keep() {
    this.decide((item) => {
      if (!item.labels) return [{ item, question: 'label', answer: 'keep' }]
      if (item.suggested) return [this.has(item, item.suggested, item.labels.includes(item.suggested))]
      return item.labels.map((name) => this.has(item, name, true))
    })
  }

  change() {
    this.to((item) => item.suggested, true)
  }

  async other() {
    const chosen = this.chosen()
    if (!chosen.length) return
    const title = chosen.length > 1 ? `Which class are these ${chosen.length}?` : 'Which class is it?'
    const name = await chooseClass(this.page.summary.classes, chosen[0].labels ? 'Which class is wrong here, or missing?' : title)
    if (this.view === 'grid') this.grid.element.focus({ preventScroll: true })
    if (!name) return
    if (!this.page.summary.classes.includes(name)) this.page.summary.classes.push(name)
    this.to(() => name)
  }

  to(name, quiet = false) {
    this.decide((item) => {
      const value = name(item)
      if (!value) {
        if (quiet) this.page.say('Nothing is suggested for this one: O chooses a class.')
        return []
      }
      if (item.labels) return [this.has(item, value, !item.labels.includes(value))]
      return [value === item.label ? { item, question: 'label', answer: 'keep' } : { item, question: 'label', answer: 'change', value }]
    })
  }

  skip() {
    this.decide((item) => {
      if (!item.labels) return [{ item, question: 'label', answer: 'skip' }]
      const about = item.suggested ? [item.suggested] : item.labels
      return about.map((value) => ({ item, question: 'has', answer: 'skip', value }))
    })
  }

  remove() {
    this.decide((item) => (item.labels ? [] : [{ item, question: 'label', answer: 'remove' }]))
  }

  /** Show what was taken back. */
  undone(rows) {
    const at = this.rows.findIndex((row) => rows.includes(row))
    if (at >= 0) this.go(at)
    this.progressSoon()
  }

  key({ key, shiftKey }) {
    const moves = { ArrowRight: 1, ArrowDown: 1, j: 1, ArrowLeft: -1, ArrowUp: -1, h: -1 }
    const acts = {
      k: () => this.keep(), Enter: () => this.keep(), s: () => this.change(), o: () => this.other(),
      r: () => this.remove(), ' ': () => this.skip(), f: () => this.page.similar(this.row),
      g: () => this.look(this.view === 'one' ? 'grid' : 'one'),
    }
    const low = key.length === 1 ? key.toLowerCase() : key
    if (low in moves && this.view === 'one') this.go(this.at + moves[low] * (shiftKey ? 10 : 1))
    else if (low in acts && this.rows.length) acts[low]()
    else return false
    return true
  }

  // drawing

  draw() {
    const { length } = this.rows
    show(this.empty, !length)
    show(this.work, length > 0)
    if (!length) {
      const filtered = this.where.state === 'open' && Object.values(this.where).filter((value) => value !== '*').length === 1
      this.empty.textContent = filtered || this.where.state === 'open' ? 'Nothing is left to decide here.' : 'Nothing here.'
      return
    }
    const item = items.get(this.row)
    if (!item) {
      items.want([this.row])
      return
    }
    const chosen = this.view === 'grid' ? this.grid.chosen.length : 1
    this.buttons.keep.firstChild.textContent = chosen > 1 ? `Keep ${chosen}` : keepText(item)
    this.buttons.suggested.firstChild.textContent = suggestedText(item)
    this.buttons.suggested.disabled = !item.suggested && chosen < 2
    this.buttons.suggested.title = item.suggested ?? ''
    if (this.view === 'one') this.drawOne(item)
  }

  drawOne(item) {
    const address = picture(item.row)
    if (this.image.getAttribute('src') !== address) {
      this.image.classList.remove('pixels')
      this.image.src = address
    }
    this.image.alt = item.path
    const spoken = [given(item) ? `given ${given(item)}` : 'no label', item.suggested && `suggested ${item.suggested}`, decided(item)]
    this.page.speak(spoken.filter(Boolean).join(', '))
    this.said.replaceChildren(
      make('p', { class: 'place soft' }, `${(this.at + 1).toLocaleString('en')} of ${this.rows.length.toLocaleString('en')}`),
      line('given', given(item) || 'no label', 'big'),
      item.suggested ? line(item.labels?.includes(item.suggested) ? 'perhaps not' : 'suggested', item.suggested, 'big suggestion') : '',
      verdictLine(item),
      make(
        'dl',
        { class: 'facts' },
        ...facts(item).flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]),
      ),
    )
    this.prefetch()
  }

  prefetch() {
    const rows = [...this.rows.slice(this.at + 1, this.at + 1 + AHEAD)]
    this.ahead = rows.map((row) => this.ahead?.find((image) => image.row === row) ?? load(row))
    items.want(this.rows.slice(this.at, this.at + 60))
    this.strip.replaceChildren(
      ...rows.map((row, step) =>
        make('img', { src: thumbnail(row), alt: '', loading: 'eager', onclick: () => this.go(this.at + 1 + step), onload: ({ target }) => sharpen(target) }),
      ),
    )
  }

  progressSoon() {
    clearTimeout(this.counting)
    this.counting = setTimeout(() => this.progress(), 250)
  }

  async progress() {
    if (this.list) {
      this.bar.hidden = true
      this.count.textContent = ''
      return
    }
    const { open, skipped, decided } = await getJson('api/progress', { split: this.where.split, label: this.where.label, issue: this.where.issue })
    const total = open + skipped + decided
    this.bar.hidden = false
    this.bar.value = total ? decided / total : 0
    const parts = [`${decided.toLocaleString('en')} of ${total.toLocaleString('en')} decided`]
    if (skipped) parts.push(`${skipped.toLocaleString('en')} skipped`)
    this.count.textContent = parts.join(', ')
  }
}

function load(row) {
  const image = new Image()
  image.row = row
  image.src = picture(row)
  image.decode().catch(() => {})
  return image
}

function line(name, value, kind) {
  return make('p', { class: kind }, make('span', { class: 'soft' }, name), ' ', make('strong', {}, value))
}

function keepText(item) {
  if (!item.labels) return item.label ? `Keep ${item.label}` : 'Keep without label'
  return item.suggested ? `As it is` : 'All right'
}

function suggestedText(item) {
  if (!item.suggested) return 'Suggested'
  return item.labels?.includes(item.suggested) ? `Not ${item.suggested}` : `It is ${item.suggested}`
}

function verdictLine(item) {
  const verdict = standing(item).at(-1) ?? null
  if (!verdict) return ''
  const at = new Date(verdict.at)
  const when = at.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })
  const text = decided(item)
  return make('p', { class: 'verdict' }, `✓ ${text}`, make('span', { class: 'soft' }, verdict.pending ? ' being stored…' : ` by ${verdict.who}, ${when}`))
}

function facts(item) {
  const said = [['file', item.path]]
  if (item.width) said.push(['size', `${item.width} × ${item.height}`])
  if (item.split) said.push(['split', item.split])
  if (item.issue) said.push(['issue', item.issue])
  if (item.reason) said.push(['why', item.reason])
  if (item.severity !== undefined && item.severity !== null) said.push(['severity', item.severity.toFixed(2)])
  if (item.confidence !== undefined && item.confidence !== null) said.push(['model', `${item.pred ?? item.best ?? "don't know"}, ${(100 * item.confidence).toFixed(0)} %`])
  return said
}
