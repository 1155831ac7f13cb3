/** What a model says of one picture: the same shape whoever ran it.

@typedef {{ranked: [string, number][], probabilities: number[], best: string, confidence: number,
  dontKnow: boolean}} Answer */

/** Read probabilities as an answer: "don't know" where the best is below the model's threshold. */
export function answerOf(model, probabilities) {
  if (probabilities.length !== model.classes.length) {
    throw new Error(`the model has ${model.classes.length} classes but gave ${probabilities.length} probabilities`)
  }
  const ranked = model.classes.map((name, index) => [name, probabilities[index]]).sort((a, b) => b[1] - a[1])
  const [best, confidence] = ranked[0]
  const dontKnow = model.threshold !== null && confidence < model.threshold
  return { ranked, probabilities: [...probabilities], best, confidence, dontKnow }
}

/** Read what a detector found: `objects` [{label, score, box}], the surest first; it has no "don't know". */
export function foundOf(objects, width, height) {
  const counts = new Map()
  for (const { label } of objects) counts.set(label, (counts.get(label) ?? 0) + 1)
  const said = [...counts].map(([label, count]) => (count > 1 ? `${count} × ${label}` : label)).join(', ')
  const ranked = objects.map(({ label, score }) => [label, score])
  return { objects, width, height, ranked, probabilities: [], best: said || 'nothing found', confidence: ranked[0]?.[1] ?? 0, dontKnow: false }
}

/** Read a detector's tensors as the model file gives them. */
export function foundIn(model, { boxes, scores, labels, width, height }) {
  const objects = scores.map((score, row) => ({ label: model.classes[labels[row]], score, box: boxes.slice(4 * row, 4 * row + 4) }))
  return foundOf(objects, width, height)
}

/** Read the server's JSON of one picture; the threshold it served with holds, should the page's be older. */
export function answerFrom(model, said) {
  const [first] = said.answers
  if (first.error) throw new Error(first.error)
  if (first.objects) return foundOf(first.objects, first.width, first.height)
  return answerOf({ ...model, threshold: said.threshold }, first.probabilities)
}
