/** The page: four views, who decides, keys, and what others decide meanwhile. */

import { make, show, the } from '../lib/dom.js'
import { getJson } from './api.js'
import { Groups } from './groups.js'
import { items } from './items.js'
import { Labels } from './labels.js'
import { DataMap } from './map.js'
import { Search } from './search.js'
import { verdicts } from './verdicts.js'

const POLL_MS = 3000
const VIEWS = { labels: Labels, groups: Groups, map: DataMap, search: Search }
const KEYS = [
  ['Everywhere', [['1 … 4 with Alt', 'the four views'], ['U or Ctrl+Z', 'undo my last verdict'], ['F', 'find what is similar'], ['?', 'these keys']]],
  ['Labels', [['K or Enter', 'keep the label'], ['S', 'take the suggested class'], ['O', 'another class'], ['R', 'remove from the data'], ['Space', 'skip'], ['← →', 'previous, next; with Shift ten at once'], ['G', 'one picture or grid'], ['Shift + arrows', 'choose several in the grid']]],
  ['Duplicates', [['1 … 9', 'keep this one, or not'], ['D', 'the focused one is no duplicate'], ['Enter', 'store'], ['N', 'none are duplicates'], ['V', 'show differences'], ['Space', 'skip'], ['← →', 'previous, next group']]],
  ['Map', [['arrows, + −, 0', 'move, zoom, show all'], ['B', 'list what is in view'], ['L', 'review the list']]],
  ['Search', [['/', 'type a name'], ['Enter', 'what is like this picture'], ['L', 'review the list']]],
]

class Page {
  views = {}
  summary = null
  present = null

  async start() {
    try {
      this.summary = await getJson('api/summary')
    } catch (error) {
      return this.complain(`${error.message} Reload the page when it is back.`)
    }
    const { summary } = this
    the('name').textContent = summary.name
    document.title = `${summary.name}: review`
    this.newest = summary.newest
    verdicts.who = summary.who || localStorage.getItem('okulo-who') || ''
    this.drawWho()
    const { outside } = summary
    if (outside) this.note(`${outside === 1 ? 'One item lies' : `${outside.toLocaleString('en')} items lie`} outside of ${summary.root} and cannot be shown; --root names another folder.`)
    this.listen()
    await this.turn()
    setInterval(() => this.poll(), POLL_MS)
  }

  /** Go where the address says: `#labels?split=val`. */
  async turn() {
    const [, name, rest] = location.hash.match(/^#([a-z]+)\??(.*)$/) ?? [, 'labels', '']
    const known = name in VIEWS ? name : 'labels'
    if (`${known}?${rest}` === this.remembered) return
    this.remembered = `${known}?${rest}`
    await this.open(known, Object.fromEntries(new URLSearchParams(rest)))
  }

  async open(name, asked) {
    for (const link of document.querySelectorAll('.tabs a')) {
      if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page')
      else link.removeAttribute('aria-current')
    }
    const missing = this.missing(name)
    this.name = name
    if (missing) {
      this.present = null
      return the('main').replaceChildren(missing)
    }
    this.present = this.views[name] ??= new VIEWS[name](this)
    if (this.present.element.parentElement !== the('main')) the('main').replaceChildren(this.hint(name), this.present.element)
    try {
      await this.present.enter(asked)
      show(the('problem'), false)
    } catch (error) {
      this.complain(error.message)
    }
  }

  missing(name) {
    const { groups, vectors, name: table } = this.summary
    const say = (what, ...commands) => make('section', { class: 'card missing' }, make('h2', {}, what), make('p', {}, 'This makes them; then start the page again:'), ...commands.map((text) => make('pre', {}, text)))
    if (name === 'groups' && !groups) return say('There are no groups of duplicates in this table.', `okulo dedup ${table}`)
    if (name === 'map' && !vectors) return say('A map needs embeddings, and this table has none.', `okulo embed ${table} --model MODEL`)
    return null
  }

  hint(name) {
    if (name === 'labels' && !this.summary.audited) return make('p', { class: 'note' }, 'No label issues were looked for yet, so items come in the order of the table. ', make('code', {}, `okulo audit ${this.summary.name}`), ' puts the likely errors first.')
    if (name === 'search' && !this.summary.vectors) return make('p', { class: 'note' }, 'Names can be searched; to find similar pictures the table needs embeddings: ', make('code', {}, `okulo embed ${this.summary.name} --model MODEL`))
    return ''
  }

  /** Keep what is shown in the address, so that a reload comes back to it. */
  remember(asked) {
    const text = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== undefined)).toString()
    this.remembered = `${this.name}?${text}`
    history.replaceState(null, '', `#${this.name}${text ? `?${text}` : ''}`)
  }

  /** Show what is most like this item. */
  similar(row) {
    if (!this.summary.vectors || row === undefined) return this.say('There are no embeddings to find similar pictures with.')
    location.hash = `#search?row=${row}`
  }

  /** Decide on a list of rows. */
  list(rows, source) {
    this.remembered = 'labels?'
    location.hash = '#labels'
    this.open('labels', { rows, source, view: 'grid' })
  }

  // who

  drawWho() {
    the('who').textContent = verdicts.who || 'Who are you?'
    the('who').disabled = Boolean(this.summary.who)
    show(the('who'), true)
  }

  /** Resolves to whether it is known who decides; asks once. */
  async askWho(anew = false) {
    if (verdicts.who && !anew) return true
    const input = make('input', { type: 'text', maxlength: '200', required: true, autocomplete: 'name', value: verdicts.who, 'aria-label': 'Your name' })
    const form = make('form', { method: 'dialog', class: 'row' }, input, make('button', { class: 'main' }, 'Go on'))
    const dialog = make('dialog', { class: 'card dialog', 'aria-label': 'Who are you?' }, make('h2', {}, 'Who are you?'), make('p', { class: 'soft' }, 'Your name stands beside each of your verdicts.'), form)
    document.body.append(dialog)
    dialog.showModal()
    input.select()
    const left = new Promise((resolve) => dialog.addEventListener('close', resolve))
    let name = ''
    form.addEventListener('submit', () => (name = input.value.trim()))
    await left
    dialog.remove()
    if (!name) return false
    verdicts.who = name
    localStorage.setItem('okulo-who', name)
    this.drawWho()
    return true
  }

  // what others do

  async poll() {
    if (document.hidden) return
    try {
      const { newest, verdicts: told } = await getJson('api/changes', { since: this.newest })
      this.newest = newest
      const others = told.filter(({ who }) => who !== verdicts.who)
      for (const { rows, ...verdict } of told) if (!verdicts.out.length) items.learn(verdict)
      if (others.length) {
        const people = [...new Set(others.map(({ who }) => who))].join(', ')
        the('others').textContent = `${people} decided on ${others.length} meanwhile`
        this.present?.progress?.()
      }
      if (!verdicts.out.length) this.backAgain()
    } catch (error) {
      if (error.status === 0) this.gone('The server does not answer. Verdicts you make now wait until it is back.')
    }
  }

  // keys and messages

  listen() {
    the('who').after(make('span', { id: 'others', class: 'soft', role: 'status' }))
    the('who').addEventListener('click', () => this.askWho(true))
    the('keys').addEventListener('click', () => this.showKeys())
    addEventListener('hashchange', () => this.turn())
    addEventListener('beforeunload', (event) => verdicts.out.length && event.preventDefault())
    document.addEventListener('keydown', (event) => this.key(event))
    addEventListener('unhandledrejection', (event) => {
      if (event.reason?.status === undefined) return // a bug of ours: let it be seen
      event.preventDefault()
      this.complain(event.reason.message)
    })
    verdicts.addEventListener('undone', ({ detail }) => {
      if (!detail.rows.length) return this.say('There is nothing of yours to take back.')
      this.say('Taken back.')
      this.present?.undone?.(detail.rows)
    })
    verdicts.addEventListener('refused', ({ detail }) => this.refused(detail))
    verdicts.addEventListener('stuck', () => this.gone(`The server does not answer; ${verdicts.out.length} of your steps wait and are sent when it is back.`))
    verdicts.addEventListener('stored', () => this.backAgain())
    this.letGo()
  }

  refused({ error, held, rows }) {
    if (error.status !== 409) return this.complain(error.message)
    const text = held?.answer
      ? `${held.who} was quicker: ${held.value || held.answer}. Yours was not stored.`
      : 'Somebody changed this meanwhile. Yours was not stored.'
    const again = rows.length === 1 ? make('button', { type: 'button', onclick: () => this.back(rows[0]) }, 'Look at it') : null
    this.say(text, again, 12_000)
  }

  back(row) {
    const at = this.present?.rows?.indexOf(row) ?? -1
    if (at >= 0) this.present.go(at)
    else this.list([row], 'conflict')
  }

  key(event) {
    if (document.querySelector('dialog[open]') || event.isComposing) return
    const typing = event.target.closest('input[type=text], select, textarea')
    if (event.altKey && /^[1-4]$/.test(event.key)) location.hash = `#${Object.keys(VIEWS)[event.key - 1]}`
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z' && !typing) verdicts.undo()
    else if (event.ctrlKey || event.metaKey || event.altKey || typing) return
    else if ([' ', 'Enter'].includes(event.key) && event.target.closest('button, a, input, summary')) return // they have their own meaning there
    else if (event.key.startsWith('Arrow') && event.target.closest('input[type=radio]')) return
    else if (event.key === '?') this.showKeys()
    else if (event.key.toLowerCase() === 'u' && this.present) verdicts.undo()
    else if (!this.present?.key(event)) return
    event.preventDefault()
  }

  showKeys() {
    const parts = KEYS.map(([title, rows]) =>
      make('section', {}, make('h3', {}, title), make('dl', { class: 'facts' }, ...rows.flatMap(([key, what]) => [make('dt', {}, make('kbd', {}, key)), make('dd', {}, what)]))),
    )
    const dialog = make('dialog', { class: 'card dialog wide', 'aria-label': 'Keys' }, make('div', { class: 'top' }, make('h2', {}, 'Keys'), make('button', { type: 'button', onclick: () => dialog.close() }, 'Close')), make('div', { class: 'columns' }, ...parts))
    dialog.addEventListener('close', () => dialog.remove())
    document.body.append(dialog)
    dialog.showModal()
  }

  note(text) {
    const note = make('p', { class: 'note row' }, make('span', {}, text))
    note.append(make('button', { type: 'button', class: 'plain', 'aria-label': 'Close', onclick: () => note.remove() }, '×'))
    the('notes').append(note)
  }

  /** The server does not answer; said until it does again. */
  gone(text) {
    this.silent = true
    this.complain(text)
  }

  backAgain() {
    if (this.silent) show(the('problem'), false)
    this.silent = false
  }

  /** After a click the keys are the page's again: Space must not press the clicked button once more. */
  letGo() {
    let pointed = false
    addEventListener('pointerdown', () => (pointed = true), true)
    addEventListener('keydown', () => (pointed = false), true)
    document.addEventListener('click', ({ detail, target }) => {
      if (detail) target.closest('.actions button, .member button, .filters button')?.blur()
    })
    document.addEventListener('change', ({ target }) => pointed && target.closest('select, .choice input')?.blur())
  }

  complain(text) {
    the('problem').textContent = text
    show(the('problem'), true)
  }

  /** Say something in passing. */
  say(text, extra = null, ms = 4000) {
    the('toast').replaceChildren(text, extra ?? '')
    the('toast').classList.add('shown')
    clearTimeout(this.passing)
    this.passing = setTimeout(() => the('toast').classList.remove('shown'), ms)
  }

  speak(text) {
    the('spoken').textContent = text
  }
}

/** Tests read it too. */
export const page = new Page()
page.start()
