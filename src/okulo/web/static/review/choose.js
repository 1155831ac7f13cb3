/** Choose a class by typing a few letters. */

import { make } from '../lib/dom.js'

const MOST = 50
const recent = []

/** Classes that fit, the best first: begins with it, a word begins with it, holds it; recently chosen before others. */
export function matches(classes, text) {
  const wanted = text.trim().toLowerCase()
  const places = new Map(recent.map((name, place) => [name, place]))
  const fit = (name) => {
    const lower = name.toLowerCase()
    if (!wanted) return places.has(name) ? 0 : 1
    if (lower === wanted) return 0
    if (lower.startsWith(wanted)) return 1
    if (lower.split(/[\s_\-/]+/).some((word) => word.startsWith(wanted))) return 2
    return lower.includes(wanted) ? 3 : 9
  }
  return classes
    .map((name, place) => [fit(name), places.get(name) ?? recent.length + place, name])
    .filter(([rank]) => rank < 9)
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .slice(0, MOST)
    .map(([, , name]) => name)
}

/** Ask for a class; resolves to its name, or null when the person turned away. */
export function chooseClass(classes, title) {
  const input = make('input', {
    type: 'text', role: 'combobox', 'aria-expanded': 'true', 'aria-controls': 'classes', autocomplete: 'off',
    'aria-label': title, maxlength: '200', spellcheck: 'false', placeholder: 'type a few letters',
  })
  const list = make('ul', { id: 'classes', role: 'listbox', class: 'classes' })
  const dialog = make('dialog', { class: 'card dialog', 'aria-label': title }, make('h2', {}, title), input, list)
  let shown = []
  let at = 0

  const draw = () => {
    const text = input.value.trim()
    shown = matches(classes, text).map((name) => ({ name, text: name }))
    if (text && !classes.includes(text)) shown.push({ name: text, text: `new class “${text}”` })
    at = Math.max(0, Math.min(at, shown.length - 1))
    list.replaceChildren(
      ...shown.map((each, place) =>
        make('li', { id: `class-${place}`, role: 'option', 'aria-selected': String(place === at), onclick: () => done(each.name) }, each.text),
      ),
    )
    input.setAttribute('aria-activedescendant', shown.length ? `class-${at}` : '')
    list.children[at]?.scrollIntoView({ block: 'nearest' })
  }
  const done = (name) => {
    if (name) {
      if (recent.includes(name)) recent.splice(recent.indexOf(name), 1)
      recent.unshift(name)
    }
    dialog.returnValue = name ?? ''
    dialog.close(name ?? '')
  }
  input.addEventListener('input', () => {
    at = 0
    draw()
  })
  input.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step) {
      at = (at + step + shown.length) % Math.max(1, shown.length)
      draw()
    } else if (event.key === 'Enter' && shown.length) done(shown[at].name)
    else return
    event.preventDefault()
  })
  document.body.append(dialog)
  draw()
  dialog.showModal()
  input.focus()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue || null)
    })
  })
}
