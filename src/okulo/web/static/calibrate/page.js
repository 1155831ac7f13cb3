// Four corners on a picture. What is marked goes to the server, which answers with the grid: there is one
// homography in okulo, and what is drawn is what is measured with.

const SVG = 'http://www.w3.org/2000/svg'
const $ = (id) => document.getElementById(id)
const view = $('view')
const loupe = $('loupe')

function make(name, attributes = {}, parent = null) {
  const made = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  parent?.append(made)
  return made
}

const start = await (await fetch('api/start')).json()
const [width, height] = start.frame_px
const unit = width / 1000
const state = {
  corners: start.corners.map((name) => [...start.corners_px[name]]),
  points: start.points.map((each) => ({ px: [...each.px], m: [...each.m] })),
}
$('file').textContent = start.file
$('width').value = start.width_m
$('length').value = start.length_m

view.setAttribute('viewBox', `0 0 ${width} ${height}`)
make('image', { href: 'api/frame.png', width, height }, view)
const outline = make('polygon', { class: 'outline', 'stroke-width': 2 * unit }, view)
const lines = make('path', { class: 'grid', 'stroke-width': unit }, view)
const marks = make('g', {}, view)
make('image', { href: 'api/frame.png', width, height }, loupe)
const cross = make('path', { class: 'cross', 'stroke-width': 0.6, fill: 'none' }, loupe)

function handle(name, at, kind, move) {
  const group = make('g', {}, marks)
  const ring = make('circle', { class: `handle ${kind}`, r: 8 * unit, 'stroke-width': 2 * unit, tabindex: 0 }, group)
  ring.setAttribute('role', 'button')
  ring.setAttribute('aria-label', `${name}: drag, or move by arrow keys`)
  const label = make('text', { class: 'name', 'font-size': 14 * unit, 'stroke-width': 3 * unit }, group)
  label.textContent = name
  const place = () => {
    const [x, y] = at()
    ring.setAttribute('cx', x)
    ring.setAttribute('cy', y)
    label.setAttribute('x', x + 12 * unit)
    label.setAttribute('y', y - 10 * unit)
  }
  const to = (x, y) => {
    move([Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)])
    place()
    look(at())
    change()
  }
  let held = null
  ring.addEventListener('pointerdown', (event) => {
    const [x, y] = pixel(event)
    held = [at()[0] - x, at()[1] - y]
    ring.setPointerCapture(event.pointerId)
    ring.classList.add('held')
    look(at())
  })
  ring.addEventListener('pointermove', (event) => {
    if (!held) return
    const [x, y] = pixel(event)
    to(x + held[0], y + held[1])
  })
  for (const end of ['pointerup', 'pointercancel']) {
    ring.addEventListener(end, () => {
      held = null
      ring.classList.remove('held')
    })
  }
  ring.addEventListener('focus', () => look(at()))
  ring.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
    if (!by) return
    event.preventDefault()
    const step = event.shiftKey ? 10 : 1
    to(at()[0] + by[0] * step, at()[1] + by[1] * step)
  })
  place()
}

function pixel(event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(view.getScreenCTM().inverse())
  return [at.x, at.y]
}

function look([x, y]) {
  loupe.setAttribute('viewBox', `${x - 40} ${y - 20} 80 40`)
  cross.setAttribute('d', `M${x - 8} ${y}H${x - 2}M${x + 2} ${y}H${x + 8}M${x} ${y - 8}V${y - 2}M${x} ${y + 2}V${y + 8}`)
}

function draw() {
  marks.replaceChildren()
  state.corners.forEach((_, i) =>
    handle(start.corners[i], () => state.corners[i], 'corner', (to) => (state.corners[i] = to)))
  state.points.forEach((each, i) => handle(`point ${i + 1}`, () => each.px, 'point', (to) => (each.px = to)))
  $('points').replaceChildren(...state.points.map(row))
}

function row(each, i) {
  const item = document.createElement('li')
  const field = (axis, name) => {
    const input = document.createElement('input')
    Object.assign(input, { type: 'number', step: 'any', value: each.m[axis] })
    input.setAttribute('aria-label', `point ${i + 1}: metres ${name}`)
    input.addEventListener('input', () => {
      each.m[axis] = input.valueAsNumber
      change()
    })
    return input
  }
  const gone = document.createElement('button')
  Object.assign(gone, { type: 'button', className: 'plain', textContent: '×' })
  gone.setAttribute('aria-label', `remove point ${i + 1}`)
  gone.addEventListener('click', () => {
    state.points.splice(i, 1)
    draw()
    change()
  })
  item.append(`${i + 1}`, field(0, 'from the left'), field(1, 'from the near side'), gone)
  return item
}

function marked() {
  return {
    corners_px: Object.fromEntries(start.corners.map((name, i) => [name, state.corners[i]])),
    width_m: $('width').valueAsNumber,
    length_m: $('length').valueAsNumber,
    points: state.points,
    cells: $('cells').valueAsNumber || 4,
    along: $('along').value,
  }
}

async function ask(where) {
  const answer = await fetch(`api/${where}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(marked()),
  })
  return [answer.ok, await answer.json()]
}

// One question at a time; while it is out, what changes waits for the next.
let asking = false
let again = false
async function change() {
  outline.setAttribute('points', state.corners.map((each) => each.join(',')).join(' '))
  $('saved').textContent = ''
  if (asking) {
    again = true
    return
  }
  asking = true
  try {
    const [good, said] = await ask('check')
    show(good, said)
  } catch {
    show(false, { error: 'okulo does not answer: is it still running?' })
  } finally {
    asking = false
  }
  if (again) {
    again = false
    change()
  }
}

function show(good, said) {
  view.classList.toggle('bad', !good)
  $('problem').hidden = good
  $('problem').textContent = good ? '' : said.error.replace(/^page: /, '')
  $('save').disabled = !good
  if (!good) {
    lines.setAttribute('d', '')
    $('fit').replaceChildren()
    return
  }
  const line = ([a, b]) => `M${a[0]} ${a[1]}L${b[0]} ${b[1]}`
  lines.setAttribute('d', said.lines.filter((each) => each.flat().every(Number.isFinite)).map(line).join(''))
  const rows = [
    ['one pixel at the far side', `${said.far_m_a_px.toFixed(2)} m`],
    ['speeds may be off by', `± ${(said.click_share * 100).toFixed(1)} %`],
  ]
  if (said.error_px !== null) rows.push(['points lie off by', `${said.error_px.toFixed(1)} px`])
  $('fit').replaceChildren(...rows.flatMap(([what, value]) => {
    const [dt, dd] = [document.createElement('dt'), document.createElement('dd')]
    dt.textContent = what
    dd.textContent = value
    return [dt, dd]
  }))
  document.documentElement.dataset.checked = String(Number(document.documentElement.dataset.checked ?? 0) + 1)
}

for (const id of ['width', 'length', 'cells', 'along']) $(id).addEventListener('input', change)
$('add').addEventListener('click', () => {
  state.points.push({ px: [width / 2, height * 0.7], m: [0, 0] })
  draw()
  change()
})
$('side').addEventListener('submit', async (event) => {
  event.preventDefault()
  const [good, said] = await ask('save')
  if (good) $('saved').textContent = `Saved: ${said.file}`
  else show(false, said)
})

draw()
look(state.corners[0])
change()
