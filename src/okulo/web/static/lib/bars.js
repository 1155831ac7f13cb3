import { make } from './dom.js'
import { percent } from './numbers.js'

/** Fill a `<ul class="bars">` with rows [name, share], reusing what is there so that bars move and do not blink. */
export function drawBars(list, rows, threshold) {
  while (list.children.length > rows.length) list.lastElementChild.remove()
  while (list.children.length < rows.length) {
    const bar = make('span', { class: 'bar', 'aria-hidden': 'true' }, make('i'), make('b'))
    list.append(make('li', {}, make('span', { class: 'name' }), bar, make('span', { class: 'number' })))
  }
  rows.forEach(([name, share], index) => {
    const [text, bar, number] = list.children[index].children
    text.textContent = name
    text.title = name
    bar.firstElementChild.style.width = `${share * 100}%`
    // The threshold holds for the best class: the mark stands on the first bar.
    bar.lastElementChild.hidden = threshold === null || index > 0
    bar.lastElementChild.style.left = `${(threshold ?? 0) * 100}%`
    number.textContent = percent(share)
  })
}
