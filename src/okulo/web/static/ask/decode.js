/** Pictures to RGB bytes, pixel by pixel what `okulo.io.images.decode` makes of them.

No colour management, EXIF orientation applied, transparency laid on white. Laying on white by the canvas is
exact: with v = round(c·a/255) it stores v + 255 − a, which is round((c·a + 255·(255 − a))/255), as Pillow. */

import { sizeOf, webpOrientation } from './size.js'

/** The server's own bound. Pre-processing holds the whole picture as float32: at its peak about 26 bytes a pixel. */
export const MAX_PIXELS = 25_000_000

const AS_STORED = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' }

let canvas = null

/** Decode a file (Blob): `{rgb, width, height}`. What cannot be decoded is an Error with a plain sentence. */
export async function decode(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer())
  const said = sizeOf(bytes)
  if (said) refuseHuge(...said)
  const turn = webpOrientation(bytes)
  const bitmap = await bitmapOf(blob, turn)
  refuseHuge(bitmap.width, bitmap.height)
  return pixelsOf(bitmap, turn)
}

async function bitmapOf(blob, turn) {
  try {
    const imageOrientation = turn > 1 ? 'none' : 'from-image'
    return await createImageBitmap(blob, { ...AS_STORED, imageOrientation })
  } catch {
    throw new Error('this browser cannot decode it as a picture')
  }
}

/** Read a bitmap's pixels as RGB and close it. */
export function pixelsOf(bitmap, turn = 1) {
  const swap = turn >= 5
  const width = swap ? bitmap.height : bitmap.width
  const height = swap ? bitmap.width : bitmap.height
  canvas ??= new OffscreenCanvas(1, 1)
  canvas.width = width
  canvas.height = height
  const pen = canvas.getContext('2d', { willReadFrequently: true })
  pen.fillStyle = '#fff'
  pen.fillRect(0, 0, width, height)
  if (turn > 1) pen.setTransform(...turned(turn, width, height))
  pen.drawImage(bitmap, 0, 0)
  bitmap.close()
  const rgb = withoutAlpha(pen.getImageData(0, 0, width, height).data)
  if (width * height > 1e6) canvas.width = canvas.height = 1 // give the memory back
  return { rgb, width, height }
}

/** The canvas transform for an EXIF orientation; width and height are those of the upright picture. */
function turned(orientation, w, h) {
  return {
    2: [-1, 0, 0, 1, w, 0],
    3: [-1, 0, 0, -1, w, h],
    4: [1, 0, 0, -1, 0, h],
    5: [0, 1, 1, 0, 0, 0],
    6: [0, 1, -1, 0, w, 0],
    7: [0, -1, -1, 0, w, h],
    8: [0, -1, 1, 0, 0, h],
  }[orientation]
}

function withoutAlpha(rgba) {
  const rgb = new Uint8Array((rgba.length / 4) * 3)
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from]
    rgb[to + 1] = rgba[from + 1]
    rgb[to + 2] = rgba[from + 2]
  }
  return rgb
}

function refuseHuge(width, height) {
  if (width * height <= MAX_PIXELS) return
  const [got, most] = [width * height, MAX_PIXELS].map((pixels) => (pixels / 1e6).toFixed(0))
  throw new Error(`${got} megapixels: a browser takes up to ${most}, ask the server`)
}
