// Runs the reliability rig against the built daemon.
//   npm run rig -- [--seconds 60] [--seed 7] [--jobs 300]
// Ends with 1 when a promise was broken; the traces are then kept where it says.
import process from 'node:process'
import { fileURLToPath, URL } from 'node:url'
import { parseArgs } from 'node:util'
import { runnerImport } from 'vite'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    jobs: { type: 'string', default: '300' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
// Node 20 reads no TypeScript, and the tests' own tools do.
const file = fileURLToPath(new URL('rig.ts', import.meta.url))
const { module: rig } = await runnerImport(file, {
  ...{ configFile: false, logLevel: 'warn' },
  // `using` is newer than Node 20.
  oxc: { target: 'es2022' },
})
const { report, text, folder } = await rig.runRig({
  seed: Number(values.seed),
  seconds: Number(values.seconds),
  jobs: Number(values.jobs),
  say: (line) => process.stderr.write(`${line}\n`),
})
process.stdout.write(`${text}\n`)
if (report.findings.length > 0) {
  process.stdout.write(`The traces are in ${folder}\n`)
  process.exitCode = 1
}
