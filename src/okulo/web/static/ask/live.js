/** The webcam: the newest frame is asked for as soon as the last one is answered; frames never queue up. */

import { the } from '../lib/dom.js'
import { duration, median } from '../lib/numbers.js'
import { drawAnswer } from './gallery.js'

const WIDTH = 640
const HEIGHT = 480
const WINDOW_MS = 2000
const SPEAK_MS = 2500

const REASONS = {
  NotAllowedError: 'The browser was not allowed to use the camera: allow it beside the address.',
  NotFoundError: 'There is no camera here.',
  OverconstrainedError: 'This camera is gone: choose another.',
  NotReadableError: 'The camera is in use by another program.',
}

export class Live {
  running = false
  /** Newest result, frames answered in all, and frames a second over the last two seconds. */
  result = null
  frames = 0
  fps = 0
  #ask
  #video = the('video')
  #parts = { element: the('live'), label: the('live-label'), more: the('live-more'), bars: the('live-bars'), figure: the('live-figure') }
  #numbers = the('live-numbers')
  #speak
  #spoken = { text: '', at: 0 }
  #stream = null
  #round = new AbortController()
  #seen = []

  /** `ask(frame, signal)` answers; `speak(text)` tells who does not see. */
  constructor(ask, speak) {
    this.#ask = ask
    this.#speak = speak
  }

  /** Open a camera and go on until `stop`; an Error says in plain words what is in the way. */
  async start(deviceId = '') {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error('A browser gives the camera to https pages and to localhost only.')
    }
    this.#close()
    const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: { ideal: 'environment' } }
    try {
      const video = { ...which, width: { ideal: WIDTH }, height: { ideal: HEIGHT } }
      this.#stream = await navigator.mediaDevices.getUserMedia({ video, audio: false })
    } catch (error) {
      throw new Error(REASONS[error.name] ?? `The camera cannot be used: ${error.message}`)
    }
    this.#video.srcObject = this.#stream
    await this.#video.play()
    this.running = true
    this.#loop(this.#round.signal)
  }

  stop() {
    this.#close()
    this.running = false
    this.result = null
  }

  /** Model or place have changed: forget the old numbers. */
  again() {
    this.#seen = []
    this.result = null
  }

  /** The camera in use, and all there are: `[{id, name}]`. */
  async cameras() {
    const devices = await navigator.mediaDevices.enumerateDevices()
    const all = devices.filter(({ kind }) => kind === 'videoinput')
    const used = this.#stream?.getVideoTracks()[0]?.getSettings().deviceId
    return { used, all: all.map(({ deviceId, label }, index) => ({ id: deviceId, name: label || `camera ${index + 1}` })) }
  }

  #close() {
    this.#round.abort()
    this.#round = new AbortController()
    for (const track of this.#stream?.getTracks() ?? []) track.stop()
    this.#stream = this.#video.srcObject = null
    this.#seen = []
    this.fps = 0
  }

  async #loop(signal) {
    while (!signal.aborted) {
      await newFrame(this.#video)
      if (signal.aborted) return
      try {
        const result = await this.#ask(await createImageBitmap(this.#video), signal)
        if (!signal.aborted && result) this.#show(result)
      } catch (error) {
        if (signal.aborted) return
        this.#fail(error)
        await new Promise((resolve) => setTimeout(resolve, 1000))
      }
    }
  }

  #show(result) {
    const now = performance.now()
    this.result = result
    this.frames += 1
    this.#seen.push({ at: now, ms: result.ms })
    while (this.#seen[0].at < now - WINDOW_MS) this.#seen.shift()
    const span = now - this.#seen[0].at
    this.fps = span > 0 ? ((this.#seen.length - 1) * 1000) / span : 0
    drawAnswer(this.#parts, result.answer, result.model)
    const each = duration(median(this.#seen.map(({ ms }) => ms)))
    this.#numbers.textContent = this.fps ? `${this.fps.toFixed(0)} fps, ${each} each ${result.where}` : ''
    this.#say(this.#parts.label.textContent, now)
  }

  #fail(error) {
    this.#parts.label.textContent = 'no answer'
    this.#parts.more.textContent = error.message
    this.#parts.bars.replaceChildren()
    this.#numbers.textContent = ''
    this.fps = 0
  }

  #say(text, now) {
    if (text === this.#spoken.text || now - this.#spoken.at < SPEAK_MS) return
    this.#spoken = { text, at: now }
    this.#speak(`camera: ${text}`)
  }
}

function newFrame(video) {
  return new Promise((resolve) => {
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(resolve)
    else requestAnimationFrame(resolve)
  })
}
