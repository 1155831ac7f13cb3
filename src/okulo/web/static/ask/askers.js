/** The two places that can run a model: the same questions, the same answers.

`prepare(model, progress)` makes ready; `ask(model, picture, signal)` takes a file (Blob) or a camera frame
(ImageBitmap, which it closes) and gives `{answer, ms, parts: [[what, ms], …]}`. */

import { answerFrom, answerOf, foundIn } from './answer.js'
import { Refused, request } from './fetch.js'

const TRIES = 6
const FRAME_QUALITY = 0.92

export class OnServer {
  atOnce = 4
  key = ''

  async prepare() {}

  async ask(model, picture, signal) {
    const body = picture instanceof Blob ? picture : await jpegOf(picture)
    const started = performance.now()
    const said = await this.#post(model, body, signal)
    return { answer: answerFrom(model, said), ms: performance.now() - started, parts: [] }
  }

  async #post(model, body, signal) {
    const address = `v1/models/${encodeURIComponent(model.name)}/predict?${model.task === 'detect' ? '' : 'outputs=probabilities&'}top=0`
    const headers = { 'content-type': body.type.startsWith('image/') ? body.type : 'application/octet-stream' }
    for (let tries = 1; ; tries += 1) {
      try {
        return await (await request(address, this.key, { method: 'POST', body, headers, signal })).json()
      } catch (error) {
        const busy = error instanceof Refused && [429, 503].includes(error.status)
        if (!busy || tries === TRIES) throw error
        await new Promise((resolve) => setTimeout(resolve, 1000 * (error.retryAfterS ?? 0.5)))
      }
    }
  }
}

export class InBrowser {
  atOnce = 1
  key = ''
  /** Threads in use; and how many to start with, 0 for as many as are good. */
  threads = 0
  wanted = 0
  #worker = null
  #waiting = new Map()
  #next = 0
  #loaded = null
  #loading = null

  /** Start the worker and have it load the model, unless it holds it already. */
  async prepare(model, progress = () => {}) {
    if (this.#worker && this.#loaded === model.file) return this.#loading
    this.#start()
    this.#loaded = model.file
    const address = new URL(model.file, document.baseURI).href
    this.#loading = this.#send({ load: { address, key: this.key, threads: this.wanted } }, [], progress).then(
      (result) => (this.threads = result.threads),
      (error) => {
        this.#loaded = null
        throw error
      },
    )
    return this.#loading
  }

  async ask(model, picture) {
    await this.prepare(model)
    const started = performance.now()
    const result = await this.#send({ ask: picture }, picture instanceof Blob ? [] : [picture])
    const parts = [
      ['decoding', result.decodeMs],
      ['network', result.networkMs],
    ]
    const answer = model.task === 'detect' ? foundIn(model, result) : answerOf(model, result.probabilities)
    return { answer, ms: performance.now() - started, parts }
  }

  #start() {
    if (this.#worker) return
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
    this.#worker.onmessage = ({ data }) => this.#hear(data)
    this.#worker.onerror = (event) => this.#died(event.message || 'its engine could not be loaded')
  }

  #send(message, transfer = [], progress = () => {}) {
    const id = (this.#next += 1)
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, progress })
      this.#worker.postMessage({ id, ...message }, transfer)
    })
  }

  #hear({ id, progress, result, error, fatal }) {
    const asked = this.#waiting.get(id)
    if (!asked) return
    if (progress) return asked.progress(progress)
    this.#waiting.delete(id)
    if (error === undefined) return asked.resolve(result)
    asked.reject(new Error(error))
    if (fatal) this.#died(error)
  }

  /** A worker that broke, or ran out of memory, is replaced at the next question. */
  #died(why) {
    this.#worker?.terminate()
    this.#worker = this.#loaded = null
    for (const { reject } of this.#waiting.values()) reject(new Error(why))
    this.#waiting.clear()
  }
}

async function jpegOf(frame) {
  const canvas = new OffscreenCanvas(frame.width, frame.height)
  canvas.getContext('2d').drawImage(frame, 0, 0)
  frame.close()
  return canvas.convertToBlob({ type: 'image/jpeg', quality: FRAME_QUALITY })
}
