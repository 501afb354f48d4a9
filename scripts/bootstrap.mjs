// Runs one of the project's tasks on a machine that may have nothing but Node and npm: installs the
// packages and builds first, but only where that is needed.
//   node scripts/bootstrap.mjs demo|test|bench|rig [arguments]
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const require = createRequire(import.meta.url)
const [task, ...args] = process.argv.slice(2)

const tasks = {
  demo: () => node(join(root, 'dist', 'main.js'), 'demo', ...args),
  test: () => node(packageBin('vitest'), 'run', ...args),
  bench: () => node(join(root, 'bench', 'run.mjs'), ...args),
  rig: () => node(join(root, 'test', 'rig', 'run.mjs'), ...args),
}
if (!(task in tasks)) fail(`say what to do: ${Object.keys(tasks).join(', ')}`)

installIfNeeded()
await buildIfNeeded()
process.exitCode = await tasks[task]()

function installIfNeeded() {
  if (!isInstalled()) {
    say(
      'Installing packages. better-sqlite3 is compiled on the way where no prebuilt binary can be',
    )
    say('had (it then needs python3, make and a C++ compiler): about a minute, once.')
    npm('ci', '--include=dev', '--no-audit', '--no-fund')
  }
  if (!canOpenDatabase()) {
    say('Compiling better-sqlite3 for this version of Node: about a minute, once.')
    npm('rebuild', 'better-sqlite3')
    if (!canOpenDatabase()) fail('better-sqlite3 could not be built; see the output above')
  }
}

/** npm notes what it installed; a lockfile that is newer than the note asks for more. */
function isInstalled() {
  const note = join(root, 'node_modules', '.package-lock.json')
  return existsSync(note) && modifiedAt(note) >= modifiedAt(join(root, 'package-lock.json'))
}

/** In a process of its own, since a failed load cannot be tried again. */
function canOpenDatabase() {
  const script = `new (require('better-sqlite3'))(':memory:').close()`
  return spawnSync(process.execPath, ['-e', script], { cwd: root }).status === 0
}

async function buildIfNeeded() {
  const build = join(root, 'scripts', 'build.mjs')
  if ((await node(build, '--if-needed')) !== 0) fail('the build failed; see the output above')
}

function npm(...words) {
  const isWindows = process.platform === 'win32'
  const command = isWindows ? 'npm.cmd' : 'npm'
  const { status } = spawnSync(command, words, { cwd: root, stdio: 'inherit', shell: isWindows })
  if (status !== 0) fail(`npm ${words.join(' ')} failed`)
}

/** Runs a script in place of this one, as far as a terminal can tell; resolves to its exit code. */
function node(...words) {
  const child = spawn(process.execPath, words, { cwd: root, stdio: 'inherit' })
  // Ctrl-C reaches the child by itself; a SIGTERM reaches only the process it was sent to.
  const onInterrupt = () => {}
  const onTerminate = () => child.kill('SIGTERM')
  process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate)
  return new Promise((resolve) => {
    child.on('error', (error) => fail(error.message))
    child.on('exit', (code) => {
      process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate)
      resolve(code ?? 1)
    })
  })
}

function packageBin(name) {
  const manifest = require.resolve(`${name}/package.json`)
  const { bin } = require(manifest)
  return join(manifest, '..', typeof bin === 'string' ? bin : bin[name])
}

function modifiedAt(file) {
  return statSync(file).mtimeMs
}

function say(text) {
  process.stderr.write(`${text}\n`)
}

function fail(text) {
  say(`jobwatch: ${text}`)
  process.exit(1)
}
