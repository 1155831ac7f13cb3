/** The search page: one picture is asked for, what looks like it is shown, and what people say of it counts at once. */

import { make, show, the } from '../lib/dom.js'
import { getJson, picture, post, thumbnail } from '../review/api.js'
import { Crop } from './crop.js'

/** All that the page knows; tests read it too. */
export const state = { summary: null, asked: null, query: null, results: [], said: new Map() }

const crop = new Crop(the('frame'), the('box'))
let round = 0

async function start() {
  try {
    state.summary = await getJson('api/summary')
  } catch (error) {
    return complain(error.message)
  }
  const { name, items, kind, filters, expansions, main } = state.summary
  show(the('main-option'), main)
  the('name').textContent = name
  document.title = `${name}: search by picture`
  the('about').textContent = `${items.toLocaleString('en')} pictures, ${kind}`
  the('filters').replaceChildren(...filters.map(filter))
  const words = { none: 'no', average: 'their average', rank: 'weighted by place', alpha: 'weighted by likeness', recursive: 'again and again' }
  the('expand').replaceChildren(...expansions.map((value) => make('option', { value }, words[value] ?? value)))
}

function filter({ name, values }) {
  const options = [make('option', { value: '' }, 'any'), ...values.map((value) => make('option', { value }, value))]
  return make('label', {}, name, make('select', { 'data-column': name, 'aria-label': name, onchange: () => search() }, ...options))
}

/** Ask for a file's picture. */
async function take(file) {
  if (file.type && !file.type.startsWith('image/')) return complain(`${file.name} is no picture.`)
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(reader.result)
    reader.onerror = () => reject(reader.error)
    reader.readAsDataURL(file)
  })
  crop.set([0, 0, 1, 1])
  await ask({ picture: url }, URL.createObjectURL(file), file.name || 'a picture')
}

/** More like an item of the index. */
export async function moreLike(item) {
  await ask({ item: item.row }, picture(item.row), item.path)
}

async function ask(asked, source, what) {
  state.asked = asked
  state.said.clear()
  the('image').src = source
  the('what').textContent = what
  show(the('query'), true)
  show(the('box'), asked.picture !== undefined)
  show(the('whole'), asked.picture !== undefined)
  the('go').disabled = false
  await search()
}

function question() {
  const of = (wanted) => [...state.said].filter(([, relevant]) => relevant === wanted).map(([row]) => row)
  const only = {}
  for (const each of the('filters').querySelectorAll('select')) if (each.value) only[each.dataset.column] = each.value
  const asked = { ...state.asked, where: the('where').value, only, expand: the('expand').value, rerank: the('rerank').checked, good: of(true), bad: of(false) }
  if (asked.picture && crop.box) asked.box = crop.box
  if (asked.picture && the('main').checked) asked.main = true
  return asked
}

export async function search() {
  if (!state.asked) return
  const mine = ++round
  const started = performance.now()
  the('said').textContent = 'Looking…'
  try {
    const answer = await post('search', question())
    if (mine !== round) return
    show(the('problem'), false)
    Object.assign(state, { query: answer.query, results: answer.results })
    draw()
    const ms = Math.round(performance.now() - started)
    const count = answer.results.length
    say(count ? `${count} found in ${ms} ms${state.said.size ? ', moved by what you said' : ''}.` : 'Nothing fits these filters.')
  } catch (error) {
    if (mine !== round) return
    the('said').textContent = ''
    complain(error.message)
  }
}

function draw() {
  const focused = document.activeElement?.closest?.('.result')?.dataset.row
  the('results').replaceChildren(...state.results.map(tile))
  show(the('forget'), state.said.size > 0)
  if (focused) (the('results').querySelector(`[data-row="${focused}"] .open`) ?? the('results').querySelector('.open'))?.focus()
}

function tile(item) {
  const image = make('img', { src: thumbnail(item.row), alt: '', loading: 'lazy' })
  image.addEventListener('load', () => image.classList.toggle('pixels', image.naturalWidth * 2 <= image.clientWidth))
  const words = state.summary.filters.map(({ name }) => item[name]).filter(Boolean).join(' · ')
  const vote = (relevant, word) => make('button', { type: 'button', 'aria-pressed': String(state.said.get(item.row) === relevant), onclick: () => judge(item, relevant) }, word)
  return make(
    'li',
    { class: `result${state.said.get(item.row) === true ? ' good' : ''}`, 'data-row': item.row },
    make('button', { type: 'button', class: 'open', 'aria-label': `More like ${item.path}, ${item.score.toFixed(3)} alike`, title: 'More like this', onclick: () => moreLike(item) }, image),
    make('div', { class: 'about' }, make('span', { class: 'score' }, item.score.toFixed(3)), make('span', { class: 'soft', title: item.path }, item.path.split('/').pop()), make('span', { class: 'soft' }, words)),
    make('div', { class: 'votes' }, vote(true, 'Relevant'), vote(false, 'Not')),
  )
}

/** Say that an answer is relevant or not; said twice it is taken back. It counts at once and is kept. */
export async function judge(item, relevant) {
  const now = state.said.get(item.row) === relevant ? null : relevant
  if (now === null) state.said.delete(item.row)
  else state.said.set(item.row, now)
  try {
    await post('api/feedback', { query: state.query, row: item.row, relevant: now })
  } catch (error) {
    complain(`That was not kept: ${error.message}`)
  }
  await search()
}

function keys(event) {
  const here = event.target.closest?.('.result')
  if (!here || event.ctrlKey || event.metaKey || event.altKey) return
  const tiles = [...the('results').children]
  const place = tiles.indexOf(here)
  const wide = tiles.filter((each) => each.offsetTop === tiles[0].offsetTop).length
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: wide, ArrowUp: -wide }[event.key]
  if (step) {
    event.preventDefault()
    tiles[place + step]?.querySelector('.open').focus()
  } else if (['r', 'n'].includes(event.key.toLowerCase())) {
    event.preventDefault()
    here.querySelector('.open').focus()
    judge(state.results[place], event.key.toLowerCase() === 'r')
  }
}

const REASONS = {
  NotAllowedError: 'The browser was not allowed to use the camera: allow it beside the address.',
  NotFoundError: 'There is no camera here.',
}

async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) return complain('A browser gives the camera to https pages and to localhost only.')
  try {
    the('video').srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: { ideal: 'environment' } }, audio: false })
    the('take').disabled = true
    show(the('shot'), true)
    await the('video').play()
    the('take').disabled = false
    the('take').focus()
  } catch (error) {
    complain(REASONS[error.name] ?? `The camera cannot be used: ${error.message}`)
  }
}

function closeCamera() {
  for (const track of the('video').srcObject?.getTracks() ?? []) track.stop()
  the('video').srcObject = null
  show(the('shot'), false)
}

async function shoot() {
  const video = the('video')
  const canvas = make('canvas', { width: video.videoWidth, height: video.videoHeight })
  canvas.getContext('2d').drawImage(video, 0, 0)
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/png'))
  closeCamera()
  await take(new File([blob], 'photo.png', { type: 'image/png' }))
}

function complain(text) {
  the('problem').textContent = text
  show(the('problem'), true)
}

function say(text) {
  the('said').textContent = text
  the('spoken').textContent = text
}

the('choose').addEventListener('click', () => the('file').click())
the('file').addEventListener('change', ({ target }) => target.files[0] && take(target.files[0]))
the('camera').addEventListener('click', openCamera)
the('take').addEventListener('click', shoot)
the('stop').addEventListener('click', closeCamera)
the('image').addEventListener('load', ({ target }) => target.classList.toggle('pixels', target.naturalWidth * 2 <= target.clientWidth))
the('whole').addEventListener('click', () => (crop.set([0, 0, 1, 1]), search()))
the('forget').addEventListener('click', () => (state.said.clear(), search()))
the('options').addEventListener('submit', (event) => (event.preventDefault(), search()))
for (const id of ['expand', 'rerank', 'main']) the(id).addEventListener('change', () => search())
crop.addEventListener('change', () => search())
the('results').addEventListener('keydown', keys)
for (const name of ['dragover', 'dragleave', 'drop']) {
  document.addEventListener(name, (event) => {
    event.preventDefault()
    the('drop').classList.toggle('over', name === 'dragover')
    const file = name === 'drop' && event.dataTransfer?.files[0]
    if (file) take(file)
  })
}
document.addEventListener('paste', ({ clipboardData }) => clipboardData?.files[0] && take(clipboardData.files[0]))

export const ready = start()
