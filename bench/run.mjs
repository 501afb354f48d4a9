// Measures the daemon against yardsticks that do the bare minimum, both in this run, in turn.
//   npm run bench [-- --quick]
// Prints ratios (higher is better, 1 means as fast as the yardstick); single times depend on the
// machine and are not worth quoting.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { unchangedPolls } from './unchanged-polls.mjs'

const isQuick = process.argv.includes('--quick')
const rounds = isQuick ? 3 : 5
const seconds = isQuick ? 2 : 5

const upstream = fork(new URL('./upstream.mjs', import.meta.url))
const [{ port }] = await once(upstream, 'message')
try {
  const results = await unchangedPolls({ port, rounds, seconds, upstream })
  console.table(
    Object.fromEntries(Object.entries(results).map(([name, ratios]) => [name, summary(ratios)])),
  )
} finally {
  upstream.kill()
}

/** Minimum, median and maximum of the rounds. */
function summary(ratios) {
  const sorted = [...ratios].sort((a, b) => a - b)
  const at = (index) => Number(sorted[index].toFixed(2))
  return { min: at(0), median: at(Math.floor(sorted.length / 2)), max: at(sorted.length - 1) }
}
