/** Make an element: `make('p', {class: 'soft', onclick: f}, 'text', child)`. Text is never read as HTML. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (typeof value === 'boolean') element.toggleAttribute(name, value)
    else if (value !== undefined && value !== null) element.setAttribute(name, value)
  }
  element.append(...children.filter((child) => child !== null && child !== undefined))
  return element
}

/** The element with this id. */
export const the = (id) => document.getElementById(id)

/** Show or hide. */
export function show(element, visible) {
  element.hidden = !visible
}
