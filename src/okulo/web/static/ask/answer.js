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

/** Read the server's JSON of one picture; the threshold it served with holds, should the page's be older. */
export function answerFrom(model, said) {
  const [first] = said.answers
  if (first.error) throw new Error(first.error)
  return answerOf({ ...model, threshold: said.threshold }, first.probabilities)
}
