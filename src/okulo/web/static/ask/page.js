/** The page: which model, which place, and what they are asked. */

import { make, show, the } from '../lib/dom.js'
import { size } from '../lib/numbers.js'
import { InBrowser, OnServer } from './askers.js'
import { request } from './fetch.js'
import { csvOf, Gallery } from './gallery.js'
import { Live } from './live.js'

export const PLACES = { server: new OnServer(), browser: new InBrowser() }
const WHERE = { server: 'on the server, there and back', browser: 'in this browser' }

/** All that the page knows; tests read it too. */
export const state = { models: [], model: null, place: 'server', engine: { built: false, why_not: '' } }

export const gallery = new Gallery(the('answers'), ask, drawGallery)
export const live = new Live(ask, speak)

async function ask(picture, signal) {
  const { model, place } = state
  const result = await PLACES[place].ask(model, picture, signal)
  return { ...result, model, place, where: WHERE[place] }
}

async function start() {
  try {
    const key = sessionStorage.getItem('okulo-key') ?? ''
    for (const place of Object.values(PLACES)) place.key = key
    const said = await (await request('pages/models.json', key)).json()
    show(the('locked'), false)
    show(the('problem'), false)
    Object.assign(state, { models: said.models, engine: said.engine })
    offerSearches(said.searches ?? [], key)
  } catch (error) {
    if (error.status === 401 || error.status === 403) return askForKey(key !== '')
    return complain(`The page cannot work: ${error.message}. Reload it when the server is back.`)
  }
  offerModels()
}

function askForKey(wrong) {
  if (wrong) complain('That key is wrong.')
  show(the('locked'), true)
  the('key').focus()
}

/** Links to the search pages beside this one; the key opens them. */
function offerSearches(names, key) {
  const query = key ? `?${new URLSearchParams({ token: key })}` : ''
  the('searches').replaceChildren('Search by picture: ', ...names.flatMap((name, i) => [i ? ', ' : '', make('a', { href: `search/${encodeURIComponent(name)}/${query}` }, name)]))
  show(the('searches'), names.length > 0)
}

function offerModels() {
  const shown = ['classify', 'detect']
  const usable = state.models.filter(({ task }) => shown.includes(task))
  const left = state.models.filter(({ task }) => !shown.includes(task))
  the('model').replaceChildren(...usable.map(({ name }) => make('option', { value: name }, name)))
  if (left.length) note(`Left out: ${left.map(({ name, task }) => `${name} (${task})`).join(', ')}: this page shows classifiers and detectors.`)
  if (!usable.length) return complain('The server has no classifier and no detector.')
  const wanted = new URLSearchParams(location.hash.slice(1))
  state.model = usable.find(({ name }) => name === wanted.get('model')) ?? usable[0]
  the('model').value = state.model.name
  the('model').disabled = usable.length === 1
  the('in-browser').disabled = !state.engine.built
  if (!state.engine.built) note(`“In this browser” is off: ${state.engine.why_not}.`)
  if (wanted.get('in') === 'browser' && state.engine.built) the('in-browser').checked = true
  show(the('work'), true)
  choose()
}

/** Model or place were chosen: make ready, then ask for everything again. */
async function choose() {
  state.model = state.models.find(({ name }) => name === the('model').value)
  state.place = the('in-browser').checked ? 'browser' : 'server'
  history.replaceState(null, '', `#${new URLSearchParams({ model: state.model.name, in: state.place })}`)
  const { model, place } = state
  gallery.atOnce = PLACES[place].atOnce
  describe()
  gallery.again()
  live.again()
  try {
    if (place === 'browser') await load(model)
  } catch (error) {
    if (state.model === model && state.place === place) the('where-hint').textContent = `The model cannot run here: ${error.message}.`
  }
}

function describe() {
  const { classes, threshold, bytes, task } = state.model
  const from = threshold === null ? '' : task === 'detect' ? `; shows what scores above ${(threshold * 100).toFixed(1)} %` : `; below ${(threshold * 100).toFixed(1)} % it says “don't know”`
  the('model-hint').textContent = `${classes.length} classes${from}`
  the('where-hint').textContent =
    state.place === 'server' ? 'Pictures are sent to this server.' : `Pictures stay on this device. The model (${size(bytes)}) is loaded once.`
}

async function load(model) {
  const bar = the('loading')
  show(bar, true)
  bar.removeAttribute('value')
  try {
    await PLACES.browser.prepare(model, ({ done, of }) => {
      if (of) bar.value = done / of
    })
  } finally {
    show(bar, false)
  }
  if (state.place !== 'browser') return
  the('where-hint').textContent = `Pictures stay on this device. The model (${size(model.bytes)}) is ready.`
  speak('the model is ready in this browser')
}

function add(files) {
  const pictures = [...files].filter(({ type }) => type === '' || type.startsWith('image/'))
  if (pictures.length < files.length) complain(`${files.length - pictures.length} of ${files.length} files are no pictures.`)
  else show(the('problem'), false)
  const taken = gallery.add(pictures)
  if (taken < pictures.length) complain(`The page holds ${gallery.cards.length} pictures; ${pictures.length - taken} were left out. \`okulo predict\` takes any number.`)
}

function drawGallery() {
  const { cards, waiting } = gallery
  show(the('gallery'), cards.length > 0)
  const unsure = cards.filter(({ result }) => result?.answer.dontKnow).length
  const failed = cards.filter(({ error }) => error).length
  const counts = [`${cards.length - waiting - failed} of ${cards.length} answered`]
  if (unsure) counts.push(`${unsure} × don't know`)
  if (failed) counts.push(`${failed} without an answer`)
  the('counts').textContent = counts.join(', ')
  if (waiting || !cards.length) return
  const [first] = cards
  const one = first.error ?? (first.result.answer.dontKnow ? "don't know" : first.result.answer.best)
  speak(cards.length === 1 ? one : counts.join(', '))
}

function save() {
  const blob = new Blob([csvOf(gallery.cards, state.model)], { type: 'text/csv' })
  const address = URL.createObjectURL(blob)
  make('a', { href: address, download: `${state.model.name}-answers.csv` }).click()
  setTimeout(() => URL.revokeObjectURL(address), 10_000)
}

async function toggleCamera(deviceId = '') {
  show(the('problem'), false)
  try {
    await live.start(deviceId)
    const { used, all } = await live.cameras()
    the('camera').replaceChildren(...all.map(({ id, name }) => make('option', { value: id, selected: id === used }, name)))
    show(the('cameras'), all.length > 1)
  } catch (error) {
    live.stop()
    complain(error.message)
  }
  show(the('live'), live.running)
  show(the('start-camera'), !live.running)
  if (live.running) the('stop-camera').focus()
}

function stopCamera() {
  live.stop()
  show(the('live'), false)
  show(the('start-camera'), true)
  the('start-camera').focus()
}

/** Tell it to who listens with a screen reader. */
function speak(text) {
  the('spoken').textContent = text
}

function note(text) {
  the('notes').append(make('p', { class: 'note' }, text))
}

function complain(text) {
  the('problem').textContent = text
  show(the('problem'), true)
}

function listen() {
  the('model').addEventListener('change', choose)
  for (const radio of document.querySelectorAll('[name=place]')) radio.addEventListener('change', choose)
  the('choose').addEventListener('click', () => the('files').click())
  the('files').addEventListener('change', ({ target }) => {
    add(target.files)
    target.value = '' // so that the same file can be chosen again
  })
  the('start-camera').addEventListener('click', () => toggleCamera())
  the('camera').addEventListener('change', ({ target }) => toggleCamera(target.value))
  the('stop-camera').addEventListener('click', stopCamera)
  the('clear').addEventListener('click', () => {
    gallery.clear()
    the('choose').focus()
  })
  the('save').addEventListener('click', save)
  the('unlock').addEventListener('submit', (event) => {
    event.preventDefault()
    sessionStorage.setItem('okulo-key', the('key').value)
    start()
  })
  document.addEventListener('paste', ({ clipboardData }) => {
    if (state.model && clipboardData.files.length) add(clipboardData.files)
  })
  let depth = 0 // enter and leave come for each element below too
  const drag = (change) => the('drop').classList.toggle('over', (depth = Math.max(0, depth + change)) > 0)
  document.addEventListener('dragenter', () => drag(1))
  document.addEventListener('dragleave', () => drag(-1))
  document.addEventListener('dragover', (event) => event.preventDefault())
  document.addEventListener('drop', (event) => {
    event.preventDefault()
    drag(-depth)
    if (state.model && event.dataTransfer.files.length) add(event.dataTransfer.files)
  })
}

listen()
start()
