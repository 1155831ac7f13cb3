/** A button that shows and hides the filters where the window is narrow. */
export function filterButton(filters) {
  const button = document.createElement('button')
  Object.assign(button, { type: 'button', className: 'more', textContent: 'Filters', ariaExpanded: 'false' })
  button.addEventListener('click', () => (button.ariaExpanded = String(filters.classList.toggle('shown'))))
  return button
}
