// Measures the daemon, and beside it yardsticks that do the bare minimum, in turn and in one run.
//   npm run bench -- [parts] [--quick] [--rounds N] [--json FILE]
// What counts is the ratio between the two: single times depend on the machine.
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { isMet, summary, table } from './report.mjs'

const parts = ['polls', 'changes', 'registry', 'fan-out', 'replay', 'stretches', 'schedule']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    json: { type: 'string' },
  },
})
const unknown = positionals.filter((name) => !parts.includes(name))
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5))
if (unknown.length > 0 || !(rounds >= 1)) {
  console.error(
    `Usage: npm run bench -- [${parts.join('|')}]... [--quick] [--rounds N] [--json FILE]`,
  )
  process.exit(2)
}

const chosen = positionals.length > 0 ? positionals : parts
const results = {}
for (const name of chosen) {
  const { about, run } = await import(`./parts/${name}.mjs`)
  console.log(`\n${name}: ${about}`)
  const lines = await run({ rounds, isQuick: values.quick })
  console.log(table(lines))
  results[name] = lines.map((line) => ({ ...line, ...summary(line.values), isMet: isMet(line) }))
}
if (values.json !== undefined) {
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version }
  const report = { at: new Date().toISOString(), machine, rounds, parts: results }
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
}
