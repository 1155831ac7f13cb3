/** A box on a picture: drawn with the pointer, moved and sized with arrow keys; shares of the sides, 0 to 1. */

const LEAST = 0.04
const STEP = 0.02

export class Crop extends EventTarget {
  /** [x0, y0, x1, y1] */
  value = [0, 0, 1, 1]
  #frame
  #box
  #from = null

  constructor(frame, box) {
    super()
    this.#frame = frame
    this.#box = box
    frame.addEventListener('pointerdown', (event) => this.#start(event))
    frame.addEventListener('pointermove', (event) => this.#move(event))
    for (const name of ['pointerup', 'pointercancel']) frame.addEventListener(name, () => this.#end())
    box.addEventListener('keydown', (event) => this.#key(event))
    this.set([0, 0, 1, 1])
  }

  /** The whole picture is no box at all. */
  get box() {
    return this.value.every((each, place) => each === [0, 0, 1, 1][place]) ? null : this.value
  }

  set(value) {
    this.value = value.map((each) => Math.min(1, Math.max(0, Math.round(each * 1000) / 1000)))
    const [x0, y0, x1, y1] = this.value
    Object.assign(this.#box.style, { left: `${x0 * 100}%`, top: `${y0 * 100}%`, width: `${(x1 - x0) * 100}%`, height: `${(y1 - y0) * 100}%` })
  }

  #at(event) {
    const { left, top, width, height } = this.#frame.getBoundingClientRect()
    return [(event.clientX - left) / width, (event.clientY - top) / height].map((each) => Math.min(1, Math.max(0, each)))
  }

  #start(event) {
    if (event.button) return
    const at = this.#at(event)
    const inside = event.target === this.#box && this.box
    this.#from = { at, before: this.value, moves: inside }
    this.#frame.setPointerCapture(event.pointerId)
  }

  #move(event) {
    if (!this.#from) return
    const [x, y] = this.#at(event)
    const [fx, fy] = this.#from.at
    if (this.#from.moves) return this.#shift(this.#from.before, x - fx, y - fy)
    const [left, right] = [Math.min(x, fx), Math.max(x, fx)]
    const [top, bottom] = [Math.min(y, fy), Math.max(y, fy)]
    if (right - left >= LEAST && bottom - top >= LEAST) this.set([left, top, right, bottom])
  }

  #end() {
    if (!this.#from) return
    const changed = this.value !== this.#from.before
    this.#from = null
    if (changed) this.dispatchEvent(new Event('change'))
  }

  #shift([x0, y0, x1, y1], dx, dy) {
    const across = Math.min(1 - x1, Math.max(-x0, dx))
    const down = Math.min(1 - y1, Math.max(-y0, dy))
    this.set([x0 + across, y0 + down, x1 + across, y1 + down])
  }

  #key(event) {
    const way = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key]
    if (!way) return
    event.preventDefault()
    const [x0, y0, x1, y1] = this.value
    if (event.shiftKey) this.set([x0, y0, Math.max(x0 + LEAST, x1 + way[0]), Math.max(y0 + LEAST, y1 + way[1])])
    else this.#shift(this.value, ...way)
    this.dispatchEvent(new Event('change'))
  }
}
