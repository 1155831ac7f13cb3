/** Width and height from a picture's first bytes, before anything is decoded; null where unknown. */
export function sizeOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = (at, length) => String.fromCharCode(...bytes.subarray(at, at + length))
  try {
    if (text(1, 3) === 'PNG') return [view.getUint32(16), view.getUint32(20)]
    if (text(0, 3) === 'GIF') return [view.getUint16(6, true), view.getUint16(8, true)]
    if (text(0, 2) === 'BM') return [view.getInt32(18, true), Math.abs(view.getInt32(22, true))]
    if (text(0, 4) === 'RIFF' && text(8, 4) === 'WEBP') return webp(view, text(12, 4))
    if (view.getUint16(0) === 0xffd8) return jpeg(view)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error // the file ends too soon: let the decoder say so
  }
  return null
}

function webp(view, kind) {
  if (kind === 'VP8X') return [1 + uint24(view, 24), 1 + uint24(view, 27)]
  if (kind === 'VP8L') {
    const bits = view.getUint32(21, true)
    return [1 + (bits & 0x3fff), 1 + ((bits >> 14) & 0x3fff)]
  }
  return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff]
}

const uint24 = (view, at) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16)

function jpeg(view) {
  for (let at = 2; ; ) {
    while (view.getUint8(at) === 0xff && view.getUint8(at + 1) === 0xff) at += 1 // fill bytes
    const marker = view.getUint8(at + 1)
    // Start of frame, all kinds; c4, c8 and cc are tables.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return [view.getUint16(at + 7), view.getUint16(at + 5)]
    }
    at += 2 + view.getUint16(at + 2)
  }
}

/** EXIF orientation of a WebP file, 1 to 8: browsers leave it aside there, as they do not for JPEG and PNG. */
export function webpOrientation(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = (at) => String.fromCharCode(...bytes.subarray(at, at + 4))
  if (text(0) !== 'RIFF' || text(8) !== 'WEBP') return 1
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true)
    if (text(at) === 'EXIF') return exifOrientation(bytes.subarray(at + 8, at + 8 + length))
    at += 8 + length + (length & 1)
  }
  return 1
}

function exifOrientation(bytes) {
  const start = String.fromCharCode(...bytes.subarray(0, 4)) === 'Exif' ? 6 : 0
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, bytes.byteLength - start)
  try {
    const little = view.getUint16(0) === 0x4949
    const table = view.getUint32(4, little)
    for (let entry = 0; entry < view.getUint16(table, little); entry += 1) {
      const at = table + 2 + 12 * entry
      if (view.getUint16(at, little) === 0x0112) {
        const said = view.getUint16(at + 8, little)
        return said >= 1 && said <= 8 ? said : 1
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  return 1
}
