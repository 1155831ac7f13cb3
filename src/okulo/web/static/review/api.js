/** What the server is asked; every failure is an Error with a sentence for people, and `status` where there is one. */

async function ask(address, options = {}) {
  let answer
  try {
    answer = await fetch(address, { cache: 'no-store', ...options })
  } catch {
    throw Object.assign(new Error('The server does not answer.'), { status: 0 })
  }
  if (answer.ok) return answer
  const said = await answer.json().catch(() => ({}))
  throw Object.assign(new Error(said.error ?? `The server said ${answer.status}.`), { status: answer.status, said })
}

/** `api/queue` and {split: 'val'} → `api/queue?split=val`; what is undefined is left out. */
function address(path, asked = {}) {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined)
  return given.length ? `${path}?${new URLSearchParams(given)}` : path
}

export const getJson = async (path, asked) => (await ask(address(path, asked))).json()
export const getBytes = async (path, asked) => (await ask(address(path, asked))).arrayBuffer()

export async function post(path, said) {
  const headers = { 'content-type': 'application/json' }
  return (await ask(path, { method: 'POST', headers, body: JSON.stringify(said) })).json()
}

export const thumbnail = (row) => `picture/${row}/256`
export const picture = (row) => `picture/${row}/1280`
