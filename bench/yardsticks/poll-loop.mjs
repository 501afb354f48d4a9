// Yardsticks (a) and (b): undici and JSON.parse, with p-queue and a rate when one is given.
//   node poll-loop.mjs <origin> <jobs> <upstreams> <concurrency> [rate]
import PQueue from 'p-queue'
import { Pool } from 'undici'

const [origin, jobs, upstreams, ...limits] = process.argv.slice(2)
const [concurrency, rate] = limits.map(Number)

for (let n = 0; n < upstreams; n += 1) watch(`/${n}/admin`)

function watch(root) {
  const pool = new Pool(origin, { connections: concurrency })
  const queue = rate && new PQueue({ concurrency, interval: 10, intervalCap: rate / 100 })
  let next = 0

  async function look() {
    const path = `${root}/jobs/j${next++ % jobs}?f=json`
    const { body } = await pool.request({ path, method: 'GET' })
    JSON.parse(await body.text())
  }

  async function run() {
    for (;;) await (queue ? queue.add(look) : look())
  }

  for (let lane = 0; lane < concurrency; lane += 1) void run()
}
