/** The pictures that were given, each a card with its answer; all are asked anew when model or place change. */

import { drawBars } from '../lib/bars.js'
import { drawBoxes } from './boxes.js'
import { make } from '../lib/dom.js'
import { duration, percent } from '../lib/numbers.js'

export const MOST = 500
/** Pictures kept on the page; more are not taken. */

const SHOWN_CLASSES = 4

export class Gallery {
  cards = []
  #list
  #ask
  #changed
  #round = new AbortController()
  #queue = []
  #running = 0

  /** `ask(picture, signal)` answers; `changed()` is called when cards come, go or are answered. */
  constructor(list, ask, changed) {
    this.#list = list
    this.#ask = ask
    this.#changed = changed
  }

  atOnce = 1

  /** Add files, newest first on the page; gives how many were taken. */
  add(files) {
    const taken = [...files].slice(0, MOST - this.cards.length)
    const cards = taken.map((file) => new Card(file))
    this.#list.prepend(...cards.map((card) => card.element))
    this.cards.unshift(...cards)
    this.#queue.push(...cards)
    this.#pump()
    this.#changed()
    return taken.length
  }

  clear() {
    this.#stop()
    for (const card of this.cards) card.forget()
    this.cards = []
    this.#list.replaceChildren()
    this.#changed()
  }

  /** Ask for all of them again. */
  again() {
    this.#stop()
    for (const card of this.cards) card.wait()
    this.#queue = [...this.cards]
    this.#pump()
    this.#changed()
  }

  get waiting() {
    return this.cards.filter((card) => !card.result && !card.error).length
  }

  #stop() {
    this.#round.abort()
    this.#round = new AbortController()
    this.#queue = []
    this.#running = 0
  }

  #pump() {
    while (this.#running < this.atOnce && this.#queue.length) {
      this.#running += 1
      this.#answer(this.#queue.shift(), this.#round.signal)
    }
  }

  async #answer(card, signal) {
    try {
      const result = await this.#ask(card.file, signal)
      if (!signal.aborted) card.say(result)
    } catch (error) {
      if (!signal.aborted) card.fail(error)
    }
    if (signal.aborted) return
    this.#running -= 1
    this.#changed()
    this.#pump()
  }
}

class Card {
  constructor(file) {
    this.file = file
    this.address = URL.createObjectURL(file)
    const picture = make('img', { src: this.address, alt: '', decoding: 'async', loading: 'lazy' })
    picture.addEventListener('error', () => picture.classList.add('broken'))
    this.name = file.name || 'pasted picture'
    this.label = make('p', { class: 'label' })
    this.more = make('p', { class: 'soft' })
    this.bars = make('ul', { class: 'bars', 'aria-label': 'Most probable classes' })
    this.timing = make('p', { class: 'soft' })
    const said = make('div', { class: 'said' }, this.label, this.more, this.bars, this.timing)
    this.figure = make('figure', {}, picture)
    const file_name = make('p', { class: 'soft file', title: this.name }, this.name)
    this.element = make('li', { class: 'card answer' }, this.figure, file_name, said)
    this.wait()
  }

  wait() {
    this.result = this.error = null
    this.element.classList.remove('unsure', 'failed')
    this.element.setAttribute('aria-busy', 'true')
    this.label.textContent = '…'
    this.more.textContent = this.timing.textContent = ''
    this.bars.replaceChildren()
    drawBoxes(this.figure, null)
  }

  say(result) {
    this.result = result
    this.element.removeAttribute('aria-busy')
    drawAnswer(this, result.answer, result.model)
    const parts = result.parts.map(([what, ms]) => `${what} ${duration(ms)}`).join(', ')
    this.timing.textContent = `${duration(result.ms)} ${result.where}${parts && ` (${parts})`}`
  }

  fail(error) {
    this.error = error.message
    this.element.removeAttribute('aria-busy')
    this.element.classList.add('failed')
    this.label.textContent = 'no answer'
    this.more.textContent = error.message
  }

  forget() {
    URL.revokeObjectURL(this.address)
  }
}

/** Draw an answer into `{element, label, more, bars, figure}`: a card's or the camera's. */
export function drawAnswer({ element, label, more, bars, figure }, answer, model) {
  element.classList.toggle('found', Boolean(answer.objects))
  drawBoxes(figure, answer.objects ? answer : null)
  element.classList.toggle('unsure', answer.dontKnow)
  label.textContent = answer.dontKnow ? "don't know" : answer.best
  more.textContent = answer.dontKnow
    ? `closest: ${answer.best}, ${percent(answer.confidence)}; the model answers from ${percent(model.threshold)}`
    : ''
  drawBars(bars, answer.ranked.slice(0, SHOWN_CLASSES), answer.objects ? null : model.threshold)
}

/** The answers as CSV text: one line a picture. */
export function csvOf(cards, model) {
  const quote = (value) => `"${String(value).replaceAll('"', '""')}"`
  const head = ['file', 'pred', 'confidence', 'best', 'where', 'ms', ...model.classes.map((name) => `p_${name}`), 'error']
  const rows = cards.map(({ name, result, error }) => {
    if (!result) return [name, '', '', '', '', '', ...model.classes.map(() => ''), error ?? 'not answered']
    const { answer } = result
    const said = [name, answer.dontKnow ? '' : answer.best, answer.confidence, answer.best]
    const shares = answer.objects ? model.classes.map(() => '') : answer.probabilities
    return [...said, result.where, result.ms.toFixed(2), ...shares, '']
  })
  return [head, ...rows].map((row) => row.map(quote).join(',') + '\r\n').join('')
}
