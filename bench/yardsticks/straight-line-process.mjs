// The straight line as a process: node straight-line-process.mjs <options as JSON>
import { setTimeout as sleep } from 'node:timers/promises'
import { answerCalls } from '../gauge.mjs'
import { straightLine } from './straight-line.mjs'

const line = await straightLine(JSON.parse(process.argv[2]))
answerCalls({ streamUrl: () => line.streamUrl })
process.on('SIGTERM', () => process.exit())
for (;;) {
  const idleMs = await line.tick()
  if (idleMs > 0) await sleep(idleMs)
}
