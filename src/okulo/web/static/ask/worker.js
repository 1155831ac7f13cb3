/** Runs a model file in its own thread, so that the page stays smooth. One model at a time.

in:  {id, load: {address, key, threads}} or {id, ask: Blob | ImageBitmap}
out: {id, progress: {done, of}} while loading, then {id, result} or {id, error, fatal}; after what is fatal the
worker must be replaced. */

import * as ort from '../vendor/onnxruntime-web/ort.wasm.min.mjs'
import { decode, pixelsOf } from './decode.js'
import { fetchModel } from './fetch.js'

ort.env.wasm.wasmPaths = new URL('../vendor/onnxruntime-web/', import.meta.url).href
// Threads need an isolated page (https or localhost, and the headers our server sends); else there is one. Half
// the cores: on two cores two threads were no faster than one, the page and the camera want their share.
const THREADS = self.crossOriginIsolated ? Math.min(4, Math.ceil((navigator.hardwareConcurrency || 1) / 2)) : 1

const DETECTED = ['boxes', 'scores', 'labels']

let session = null
let last = Promise.resolve()

self.onmessage = ({ data }) => {
  last = last.then(() => serve(data)) // one after another: there is one session
}

async function serve({ id, load, ask }) {
  try {
    const result = load ? await open(load, (progress) => self.postMessage({ id, progress })) : await answer(ask)
    self.postMessage({ id, result })
  } catch (error) {
    self.postMessage({ id, error: plain(error), fatal: error instanceof Broken })
  }
}

/** The engine itself failed, most often for want of memory: what it holds can be trusted no more. */
class Broken extends Error {}

const plain = (error) => (error instanceof Error ? error.message : String(error))

async function open({ address, key, threads }, progress) {
  ort.env.wasm.numThreads = threads || THREADS // counts for a worker's first model
  const bytes = await fetchModel(address, key, progress)
  await session?.release()
  session = null
  try {
    // 3: errors only. That a detector's threshold is an input with a default is meant, not to be warned of.
    session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'], logSeverityLevel: 3 })
  } catch (error) {
    throw new Broken(`the model could not be made ready (${plain(error)})`)
  }
  await run({ image: new ort.Tensor('uint8', new Uint8Array(8 * 8 * 3), [8, 8, 3]) }) // the first run is slow
  return { threads: ort.env.wasm.numThreads, bytes: bytes.length }
}

async function answer(picture) {
  const started = performance.now()
  const { rgb, width, height } = picture instanceof Blob ? await decode(picture) : pixelsOf(picture)
  const decoded = performance.now()
  const image = new ort.Tensor('uint8', rgb, [height, width, 3])
  const outputs = await run({ image })
  const said = Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, Array.from(tensor.data)]))
  const done = performance.now()
  for (const each of Object.values(outputs)) each.dispose()
  return { ...said, width, height, decodeMs: decoded - started, networkMs: done - decoded }
}

async function run(inputs) {
  try {
    return await session.run(inputs, session.outputNames.includes('boxes') ? DETECTED : ['probabilities'])
  } catch (error) {
    throw new Broken(`the network failed, perhaps for want of memory (${plain(error)})`)
  }
}
