/** Requests to our own server, with the API key where it asks for one; errors are plain sentences. */

/** An answer that is no success; `status` is 0 where the server cannot be reached. */
export class Refused extends Error {
  constructor(message, status, retryAfterS = null) {
    super(message)
    this.status = status
    this.retryAfterS = retryAfterS
  }
}

/** `fetch` that throws `Refused` with what the server said. */
export async function request(address, key, options = {}) {
  const headers = { ...options.headers, ...(key ? { authorization: `Bearer ${utf8(key)}` } : {}) }
  let response
  try {
    response = await fetch(address, { ...options, headers })
  } catch (error) {
    if (error.name === 'AbortError') throw error
    throw new Refused('the server cannot be reached', 0)
  }
  if (response.ok) return response
  const wait = Number(response.headers.get('retry-after'))
  throw new Refused(await reason(response), response.status, wait > 0 ? wait : null)
}

/** Headers carry bytes, not characters. */
const utf8 = (text) => String.fromCharCode(...new TextEncoder().encode(text))

async function reason(response) {
  const text = await response.text()
  try {
    const said = JSON.parse(text)
    const why = said.error ?? said.detail
    if (typeof why === 'string') return why
    if (typeof why?.message === 'string') return why.message
  } catch {
    // no JSON: the status must do
  }
  return `the server said ${response.status} ${response.statusText}`.trim()
}

/** Download a model file, saying how far it is. */
export async function fetchModel(address, key, progress) {
  const response = await request(address, key)
  const of = Number(response.headers.get('content-length')) || 0
  const parts = []
  let done = 0
  const reader = response.body.getReader()
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value)
    done += part.value.length
    progress({ done, of })
  }
  const bytes = new Uint8Array(done)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
