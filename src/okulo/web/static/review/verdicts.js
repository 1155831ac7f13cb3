/** Verdicts on their way to the server: shown at once, sent one after another, sent again until they are stored. */

import { post } from './api.js'
import { items, newest } from './items.js'

const AGAIN_MS = 1500

class Verdicts extends EventTarget {
  out = []
  busy = false
  who = ''

  /** Decide; each decision is {item, question, answer, value}. Shown at once, stored soon. */
  decide(decisions) {
    const sent = decisions.map(({ item, question, answer, value = '' }) => {
      const seen = newest(item, question, value)?.version ?? 0
      return { row: item.row, item: item.id, path: item.path, question, answer, value, seen }
    })
    for (const each of sent) {
      items.learn({ ...each, who: this.who, at: new Date().toISOString(), version: each.seen + 1, pending: true })
    }
    this.push({ decisions: sent })
  }

  /** Take back the last step: one that was not sent yet, or the last one stored under this name. */
  undo() {
    const last = this.out.at(-1)
    if (last?.decisions && !(this.busy && this.out.length === 1)) {
      this.out.pop()
      this.reload(last.decisions.map(({ row }) => row))
      this.dispatchEvent(new CustomEvent('undone', { detail: { rows: last.decisions.map(({ row }) => row) } }))
      this.changed()
      return
    }
    this.push({ undo: true })
  }

  push(step) {
    this.out.push(step)
    this.changed()
    this.send()
  }

  async send() {
    if (this.busy) return
    this.busy = true
    while (this.out.length) {
      try {
        await this.sendOne(this.out[0])
      } catch (error) {
        if (error.status === 0 || error.status >= 500) {
          this.dispatchEvent(new CustomEvent('stuck', { detail: error.message }))
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
          continue
        }
        this.failed(this.out[0], error)
      }
      this.out.shift()
      this.changed()
    }
    this.busy = false
  }

  async sendOne(step) {
    const said = await post(step.undo ? 'api/undo' : 'api/verdicts', { who: this.who, decisions: step.decisions })
    for (const verdict of said.verdicts) items.learn(verdict)
    this.dispatchEvent(new CustomEvent('stored', { detail: said }))
    if (step.undo) this.dispatchEvent(new CustomEvent('undone', { detail: said }))
  }

  failed(step, error) {
    const held = error.said?.held
    const rows = (step.decisions ?? []).map(({ row }) => row)
    const own = step.decisions?.find(({ item, question }) => held && item === held.item && question === held.question)
    if (own && held.who === this.who && held.answer === own.answer && held.value === own.value) {
      items.learn(held) // it was stored, only the word of it was lost
      if (rows.length > 1) this.reload(rows)
      return
    }
    this.reload(rows)
    this.dispatchEvent(new CustomEvent('refused', { detail: { error, held, rows } }))
  }

  async reload(rows) {
    if (rows.length) await items.fetch(rows).catch(() => {})
  }

  changed() {
    this.dispatchEvent(new Event('change'))
  }
}

export const verdicts = new Verdicts()
