// Copies what the pages need of node_modules into the package: plain static files, no bundler.
// Run by `make web` after `npm ci`. A new version: change package.json, `npm install`, commit the lock file.
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const here = new URL('.', import.meta.url)
const from = new URL('node_modules/onnxruntime-web/', here)
const vendor = new URL('../src/okulo/web/static/vendor/', here)
const aside = new URL('.onnxruntime-web.new/', vendor)
const to = new URL('onnxruntime-web/', vendor)

const FILES = [
  'ort.wasm.min.mjs', // the interface, WebAssembly only
  'ort-wasm-simd-threaded.mjs', // loads the machine code; each thread's script as well
  'ort-wasm-simd-threaded.wasm',
]

await rm(aside, { recursive: true, force: true })
await mkdir(aside, { recursive: true })
for (const name of FILES) {
  const file = new URL(`dist/${name}`, from)
  await copyFile(file, new URL(name, aside))
  if (name.endsWith('.wasm')) {
    // 14 MB are 4 MB on the way to a phone: packed once here, not at each request.
    await writeFile(new URL(`${name}.gz`, aside), gzipSync(await readFile(file), { level: 9 }))
  }
}
await copyFile(new URL('onnxruntime-LICENSE.txt', here), new URL('LICENSE.txt', aside))
const { name, version, license } = JSON.parse(await readFile(new URL('package.json', from), 'utf8'))
await writeFile(new URL('version.json', aside), `${JSON.stringify({ name, version, license })}\n`)

// Whole or not at all: half a copy would look built.
await rm(to, { recursive: true, force: true })
await rename(aside, to)
console.log(`${name} ${version} → ${fileURLToPath(to)}`)
