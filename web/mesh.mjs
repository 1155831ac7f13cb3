// Packs the page that turns a mesh (mesh-viewer.mjs and what it needs of three.js) into one small script;
// `okulo mesh denoise --page` writes it into the page, which then needs nothing else. Run by `make web`.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = new URL('.', import.meta.url)
const vendor = new URL('../src/okulo/web/static/vendor/mesh-viewer/', here)
const { version } = JSON.parse(await readFile(new URL('node_modules/three/package.json', here), 'utf8'))

await mkdir(vendor, { recursive: true })
const aside = new URL('.viewer.new.js', vendor)
await build({
  entryPoints: [fileURLToPath(new URL('mesh-viewer.mjs', here))],
  outfile: fileURLToPath(aside),
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  legalComments: 'inline', // three.js is MIT: its notice stays
})
const packed = await readFile(aside, 'utf8')
if (packed.includes('</script')) throw new Error('the script would end inside itself')
await writeFile(new URL('version.json', vendor), `${JSON.stringify({ name: 'three', version, license: 'MIT' })}\n`)
// Whole or not at all: half a script would look built.
await rename(aside, new URL('viewer.js', vendor))
console.log(`mesh viewer with three ${version}, ${Math.round(packed.length / 1024)} KiB → ${fileURLToPath(vendor)}`)
