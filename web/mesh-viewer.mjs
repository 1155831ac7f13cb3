// Turns a mesh with the mouse or a finger; shows it before, after, and coloured by what changed.
// The mesh lies in the page as base64: positions as 16-bit steps of a box, faces as 32-bit indices.
import {
  AmbientLight, BufferAttribute, BufferGeometry, Color, DirectionalLight, DoubleSide, Mesh,
  MeshLambertMaterial, PerspectiveCamera, Scene, Vector3, WebGLRenderer,
} from 'three'
import { OrbitControls } from 'three/examples/jsm/controls/OrbitControls.js'

const said = JSON.parse(document.getElementById('mesh').textContent)
const canvas = document.querySelector('canvas')
const note = document.getElementById('note')

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer
}

// Every face has its own three corners: flat shading, and a colour of its own.
function corners(packed, faces) {
  const steps = new Uint16Array(bytes(packed))
  const points = new Float32Array(faces.length * 3)
  for (let i = 0; i < faces.length; i++) {
    for (let d = 0; d < 3; d++) points[3 * i + d] = said.low[d] + steps[3 * faces[i] + d] * said.step
  }
  return points
}

function colours(heat, scale) {
  const shown = new Float32Array(heat.length * 9)
  for (let f = 0; f < heat.length; f++) {
    const colour = new Color().setRGB(...scale[heat[f]].map((value) => value / 255), 'srgb')
    for (let k = 0; k < 3; k++) colour.toArray(shown, 9 * f + 3 * k)
  }
  return shown
}

function geometry(points) {
  const made = new BufferGeometry()
  made.setAttribute('position', new BufferAttribute(points, 3))
  made.computeVertexNormals() // of loose triangles: the faces' own
  return made
}

function start() {
  const renderer = new WebGLRenderer({ canvas, antialias: true })
  const scene = new Scene()
  scene.background = new Color(0xffffff)
  const camera = new PerspectiveCamera(35, 1, 0.001, 100)
  const lamp = new DirectionalLight(0xffffff, 2.2)
  lamp.position.set(-0.5, 0.7, 1)
  camera.add(lamp)
  scene.add(camera, new AmbientLight(0xffffff, 0.7))

  const faces = new Uint32Array(bytes(said.faces))
  const shapes = { before: geometry(corners(said.before, faces)), after: geometry(corners(said.after, faces)) }
  shapes.after.setAttribute('color', new BufferAttribute(colours(new Uint8Array(bytes(said.heat)), said.scale), 3))
  const plain = new MeshLambertMaterial({ color: 0xb8c2d1, side: DoubleSide })
  const heat = new MeshLambertMaterial({ vertexColors: true, side: DoubleSide })
  const shown = new Mesh(shapes.after, plain)
  scene.add(shown)

  shapes.after.computeBoundingSphere()
  const { center, radius } = shapes.after.boundingSphere
  camera.position.copy(new Vector3(0.6, 0.45, 1).normalize().multiplyScalar(radius * 3.6).add(center))
  camera.near = radius / 100
  camera.far = radius * 20
  const controls = new OrbitControls(camera, canvas)
  controls.target.copy(center)
  controls.update()

  const draw = () => renderer.render(scene, camera)
  const fit = () => {
    renderer.setPixelRatio(Math.min(devicePixelRatio, 2))
    renderer.setSize(canvas.parentElement.clientWidth, canvas.parentElement.clientHeight, false)
    camera.aspect = canvas.parentElement.clientWidth / canvas.parentElement.clientHeight
    camera.zoom = Math.min(1, camera.aspect)  // 35 degrees across, too: a tall window shows all of it
    camera.updateProjectionMatrix()
    draw()
  }
  const show = (name) => {
    shown.geometry = name === 'before' ? shapes.before : shapes.after
    shown.material = name === 'heat' ? heat : plain
    document.getElementById('bar').hidden = name !== 'heat'
    for (const each of document.querySelectorAll('button')) each.setAttribute('aria-pressed', each.value === name)
    draw()
  }
  for (const each of document.querySelectorAll('button')) each.addEventListener('click', () => show(each.value))
  addEventListener('keydown', (event) => {
    const name = { 1: 'before', 2: 'after', 3: 'heat' }[event.key]
    if (name) show(name)
  })
  controls.addEventListener('change', draw)
  addEventListener('resize', fit)
  fit()
  show(['#before', '#heat'].includes(location.hash) ? location.hash.slice(1) : 'after')
  document.body.dataset.ready = 'yes'
}

try {
  start()
} catch (error) {
  note.textContent = `This browser cannot draw the mesh: ${error.message}`
}
