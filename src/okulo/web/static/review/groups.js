/** Duplicates: one group at a time, side by side; which to keep, and which are none. */

import { make, show } from '../lib/dom.js'
import { getJson, picture } from './api.js'
import { filterButton } from './filters.js'
import { sharpen } from './grid.js'
import { given, items, newest } from './items.js'
import { verdicts } from './verdicts.js'

const WORDS = { keep: 'keep', drop: 'copy', distinct: 'not a duplicate', skip: 'skipped' }

export class Groups {
  title = 'Duplicates'
  list = []
  at = 0
  group = null
  marks = new Map() // row → keep, drop or distinct, not stored yet
  differences = false

  constructor(page) {
    this.page = page
    this.build()
    items.addEventListener('change', ({ detail }) => {
      if (this.group?.items.some(({ row }) => detail.has(row))) this.draw()
    })
  }

  build() {
    const select = (label, options) => make('select', { 'aria-label': label }, ...options.map(([value, text]) => make('option', { value }, text)))
    this.kind = select('Kind', [['*', 'all groups'], ['leak', 'across splits'], ['contradiction', 'with different labels']])
    this.state = select('State', [['open', 'to decide'], ['skipped', 'skipped'], ['decided', 'decided'], ['*', 'all']])
    for (const each of [this.kind, this.state]) each.addEventListener('change', () => this.load())
    this.bar = make('progress', { max: '1', value: '0', 'aria-label': 'Decided' })
    this.count = make('span', { class: 'soft count' })
    const field = (text, control) => make('label', { class: 'field' }, make('span', { class: 'soft' }, text), control)
    this.filters = make('div', { class: 'filters' }, field('Groups', this.kind), field('Show', this.state), make('div', { class: 'progress' }, this.bar, this.count))
    this.filters.prepend(filterButton(this.filters))
    this.head = make('p', { class: 'group-head' })
    this.tiles = make('ol', { class: 'members' })
    this.empty = make('p', { class: 'card empty', hidden: true })
    const button = (key, text, act) => make('button', { type: 'button', 'data-key': key, onclick: act }, text, make('kbd', {}, key))
    this.show = button('V', 'Differences', () => this.toggle())
    this.actions = make(
      'div', { class: 'actions', role: 'group', 'aria-label': 'Decide' },
      Object.assign(button('Enter', 'Store', () => this.store()), { className: 'main' }),
      button('N', 'No duplicates', () => this.none()),
      button('Space', 'Skip', () => this.all('skip')),
      button('U', 'Undo', () => verdicts.undo()),
      this.show,
      button('←', 'Previous', () => this.go(this.at - 1)),
      button('→', 'Next', () => this.go(this.at + 1)),
    )
    this.work = make('div', { class: 'work' }, this.head, this.tiles, this.actions)
    this.element = make('section', { class: 'view', 'aria-label': 'Duplicates' }, this.filters, this.empty, this.work)
  }

  async enter(asked) {
    if (asked.place !== undefined) this.state.value = '*'
    if (!this.list.length || asked.place !== undefined) await this.load(Number(asked.place ?? NaN))
  }

  async load(place = NaN) {
    const { groups, progress } = await getJson('api/groups', { kind: this.kind.value, state: this.state.value })
    this.list = groups
    this.showProgress(progress)
    const at = groups.findIndex(([each]) => each === place)
    await this.go(at < 0 ? 0 : at)
  }

  showProgress({ open, skipped, decided }) {
    const total = open + skipped + decided
    this.bar.value = total ? decided / total : 0
    this.count.textContent = `${decided.toLocaleString('en')} of ${total.toLocaleString('en')} groups decided`
  }

  async go(at) {
    show(this.empty, !this.list.length)
    show(this.work, this.list.length > 0)
    if (!this.list.length) {
      this.empty.textContent = this.state.value === 'open' ? 'Nothing is left to decide here.' : 'Nothing here.'
      this.group = null
      return
    }
    this.at = Math.max(0, Math.min(at, this.list.length - 1))
    const asking = (this.asking = Symbol('group'))
    const group = await this.fetch(this.at)
    if (asking !== this.asking) return
    for (const item of group.items) if (!items.get(item.row)) items.known.set(item.row, item)
    this.group = group
    this.marks = new Map(group.items.map((item) => [item.row, this.first(item)]))
    if (group.items.length && !group.items.some(({ row }) => this.marks.get(row) === 'keep')) this.marks.set(group.items[0].row, 'keep')
    this.draw(true)
    if (this.at + 1 < this.list.length) this.fetch(this.at + 1).then(({ items: ahead }) => (this.ahead = ahead.slice(0, 12).map(({ row }) => Object.assign(new Image(), { src: picture(row) })))).catch(() => {})
  }

  fetch(at) {
    this.kept ??= new Map()
    const [place] = this.list[at]
    if (!this.kept.has(place)) {
      if (this.kept.size > 50) this.kept.clear()
      this.kept.set(place, getJson(`api/groups/${place}`))
      this.kept.get(place).catch(() => this.kept.delete(place))
    }
    return this.kept.get(place)
  }

  /** What is marked to begin with: what was decided, else what the table says. */
  first(item) {
    const verdict = newest(items.get(item.row) ?? item, 'duplicate')
    if (verdict?.answer && verdict.answer !== 'skip') return verdict.answer
    return item.keep ? 'keep' : 'drop'
  }

  mark(row, answer) {
    this.marks.set(row, answer)
    this.draw()
  }

  turn(row) {
    this.mark(row, this.marks.get(row) === 'keep' ? 'drop' : 'keep')
  }

  turnDistinct(row) {
    this.mark(row, this.marks.get(row) === 'distinct' ? 'drop' : 'distinct')
  }

  async store() {
    const answers = [...this.marks.values()]
    if (answers.includes('drop') && !answers.includes('keep')) return this.page.say('Mark one to keep (its number), or N: they are no duplicates.')
    if (this.group.size > this.group.items.length) return this.page.say(`Only ${this.group.items.length} of ${this.group.size} are shown: too large a group to decide on at once.`)
    await this.decide((row) => this.marks.get(row))
  }

  none() {
    return this.all('distinct')
  }

  all(answer) {
    return this.decide(() => answer)
  }

  async decide(answer) {
    if (!this.group || !(await this.page.askWho())) return
    verdicts.decide(this.group.items.map(({ row }) => ({ item: items.get(row), question: 'duplicate', answer: answer(row) })))
    if (this.at + 1 < this.list.length) await this.go(this.at + 1)
    else this.page.say('That was the last group of this list.')
    clearTimeout(this.counting)
    this.counting = setTimeout(() => this.progress(), 250)
  }

  async progress() {
    this.showProgress((await getJson('api/groups', { kind: this.kind.value, state: this.state.value })).progress)
  }

  async undone(rows) {
    const place = this.list.findIndex(([each]) => this.kept?.has(each) && this.holds(each, rows))
    if (place >= 0) await this.go(place)
    else if (this.group?.items.some(({ row }) => rows.includes(row))) this.draw()
    this.progress()
  }

  holds(place, rows) {
    return this.places?.get(place)?.some((row) => rows.includes(row))
  }

  toggle() {
    this.differences = !this.differences
    this.draw()
  }

  key({ key }) {
    const focused = Number(document.activeElement?.closest('.member')?.dataset.row ?? NaN)
    const acts = {
      Enter: () => this.store(), n: () => this.none(), ' ': () => this.all('skip'), v: () => this.toggle(),
      ArrowRight: () => this.go(this.at + 1), ArrowLeft: () => this.go(this.at - 1),
      f: () => this.page.similar(Number.isNaN(focused) ? this.group.items[0].row : focused),
      d: () => !Number.isNaN(focused) && this.turnDistinct(focused),
    }
    const low = key.length === 1 ? key.toLowerCase() : key
    const number = Number(key)
    if (!this.group) return false
    if (number >= 1 && number <= Math.min(9, this.group.items.length)) this.turn(this.group.items[number - 1].row)
    else if (low in acts) acts[low]()
    else return false
    return true
  }

  draw(anew = false) {
    const { group } = this
    if (!group) return
    this.places ??= new Map()
    this.places.set(group.place, group.items.map(({ row }) => row))
    this.head.replaceChildren(
      make('strong', {}, `Group ${(this.at + 1).toLocaleString('en')} of ${this.list.length.toLocaleString('en')}`),
      make('span', { class: 'soft' }, ` ${group.size} items`),
      group.leak ? make('span', { class: 'badge wrong-text' }, 'in several splits') : '',
      group.contradiction ? make('span', { class: 'badge unsure-text' }, 'different labels') : '',
      make('span', { class: 'soft wide' }, ' Numbers mark which to keep; D marks the focused one as no duplicate.'),
    )
    this.show.setAttribute('aria-pressed', String(this.differences))
    if (anew) this.tiles.replaceChildren(...group.items.map((item, place) => this.member(item, place)))
    const reference = group.items.find(({ row }) => this.marks.get(row) === 'keep') ?? group.items[0]
    for (const tile of this.tiles.children) this.fill(tile, reference)
  }

  member(item, place) {
    const image = make('img', { alt: item.path, src: picture(item.row), onload: ({ target }) => sharpen(target) })
    const over = make('img', { alt: 'where it differs from the one that is kept', class: 'over', hidden: true })
    over.addEventListener('error', () => {
      over.parentElement.querySelector('.apart').textContent = 'another shape: not compared'
      over.hidden = true
    })
    const keep = make('button', { type: 'button', class: 'keep', onclick: () => this.turn(item.row) }, 'Keep', place < 9 ? make('kbd', {}, String(place + 1)) : null)
    const distinct = make('button', { type: 'button', class: 'distinct', onclick: () => this.turnDistinct(item.row) }, 'No duplicate', make('kbd', {}, 'D'))
    const facts = [given(item) || 'no label', item.split, item.width && `${item.width} × ${item.height}`].filter(Boolean).join(' · ')
    return make(
      'li', { class: 'member card', 'data-row': item.row, tabindex: '-1' },
      make('div', { class: 'frame' }, image, over, make('span', { class: 'apart soft' })),
      make('p', { class: 'mark' }),
      make('p', {}, facts),
      make('p', { class: 'soft path' }, item.path),
      make('p', { class: 'soft held' }),
      make('div', { class: 'row' }, keep, distinct),
    )
  }

  fill(tile, reference) {
    const row = Number(tile.dataset.row)
    const answer = this.marks.get(row)
    const verdict = newest(items.get(row), 'duplicate')
    tile.dataset.mark = answer
    tile.querySelector('.mark').textContent = WORDS[answer]
    tile.querySelector('.keep').setAttribute('aria-pressed', String(answer === 'keep'))
    tile.querySelector('.distinct').setAttribute('aria-pressed', String(answer === 'distinct'))
    tile.querySelector('.held').textContent = verdict?.answer ? `✓ ${WORDS[verdict.answer]}, by ${verdict.who}` : ''
    const over = tile.querySelector('.over')
    const address = this.differences && row !== reference.row ? `difference/${reference.row}/${row}` : ''
    tile.querySelector('.apart').textContent = ''
    over.hidden = !address
    if (address && over.getAttribute('src') !== address) over.src = address
  }
}
