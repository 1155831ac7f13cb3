/** Items by row, fetched in batches and kept; who shows one listens for `change`. */

import { getJson } from './api.js'

const BATCH = 100
const MOST = 20_000

class Items extends EventTarget {
  known = new Map()
  asked = new Set()
  waiting = null

  get(row) {
    return this.known.get(row)
  }

  /** Fetch what is not known yet; resolves when all of it is there. */
  async need(rows) {
    const missing = [...new Set(rows)].filter((row) => !this.known.has(row))
    for (let start = 0; start < missing.length; start += BATCH) {
      await this.fetch(missing.slice(start, start + BATCH))
    }
    return rows.map((row) => this.known.get(row))
  }

  /** Fetch soon what is not known and not asked for, in as few requests as may be. */
  want(rows) {
    for (const row of rows) if (!this.known.has(row)) this.asked.add(row)
    if (!this.asked.size || this.waiting) return
    this.waiting = setTimeout(async () => {
      const now = [...this.asked].slice(-3 * BATCH) // the newest: older ones have scrolled away
      this.asked.clear()
      try {
        await this.need(now)
      } catch {
        // the page says by itself when the server is gone; the rows are asked for again when next seen
      }
      this.waiting = null
      if (this.asked.size) this.want([])
    }, 20)
  }

  async fetch(rows) {
    const items = await getJson('api/items', { rows: rows.join(',') })
    if (this.known.size > MOST) for (const row of [...this.known.keys()].slice(0, MOST / 2)) this.known.delete(row)
    for (const item of items) this.known.set(item.row, item)
    this.tell(rows)
  }

  /** Take in a verdict that was stored, whoever made it. */
  learn(verdict) {
    const changed = []
    for (const item of this.known.values()) {
      if (item.id !== verdict.item || !concerns(item, verdict)) continue
      const others = item.verdicts.filter((each) => !sameSubject(each, verdict))
      const old = item.verdicts.find((each) => sameSubject(each, verdict))
      if (old && old.version > verdict.version && !old.pending) continue
      item.verdicts = [...others, verdict]
      changed.push(item.row)
    }
    if (changed.length) this.tell(changed)
  }

  tell(rows) {
    this.dispatchEvent(new CustomEvent('change', { detail: new Set(rows) }))
  }
}

const concerns = (item, { question, path }) => question !== 'duplicate' || item.path === path
const sameSubject = (a, b) => a.question === b.question && (a.question !== 'has' || a.value === b.value)

export const items = new Items()

/** 1 → "1 item", 1200 → "1,200 items". */
export const itemCount = (count) => `${count.toLocaleString('en')} ${count === 1 ? 'item' : 'items'}`

/** The newest verdict on one question (of one class, for `has`), open again or not. */
export function newest(item, question, value = '') {
  return item.verdicts.find((each) => each.question === question && (question !== 'has' || each.value === value))
}

/** The verdicts on the label that stand. */
export function standing(item) {
  return item.verdicts.filter(({ question, answer }) => question !== 'duplicate' && answer)
}

/** The classes an item was given, as text. */
export function given(item) {
  return item.labels ? item.labels.join(', ') : (item.label ?? '')
}

/** What was decided on the label, in few words; '' for nothing. */
export function decided(item) {
  return standing(item)
    .map(({ question, answer, value }) => {
      if (question === 'has') return answer === 'skip' ? 'skipped' : `${answer === 'yes' ? '' : 'not '}${value}`
      return { keep: 'kept', change: value, remove: 'to remove', skip: 'skipped' }[answer]
    })
    .join(', ')
}
