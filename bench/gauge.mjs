// Loaded into each process of a benchmark before its own file: answers calls, and tells what the
// process uses.
import { monitorEventLoopDelay } from 'node:perf_hooks'

const resolutionMs = 5
let delay = null
const functions = { 'gauge.read': read, 'gauge.reset': reset }
/** Calls that came before what they call. */
let early = []

process.on('message', answer)
// The gauge alone keeps no process going, and none is left behind.
process.channel.unref()
process.on('disconnect', () => process.exit())

/** Lets the process that started this one call these functions by name. */
export function answerCalls(more) {
  process.channel.ref()
  Object.assign(functions, more)
  const calls = early
  early = []
  for (const call of calls) void answer(call)
}

async function answer(call) {
  const { id, name, payload } = call
  if (name in functions) process.send({ id, answer: await functions[name](payload) })
  else early.push(call)
}

function reset() {
  delay ??= monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  delay.reset()
}

function read() {
  const { user, system } = process.cpuUsage()
  return {
    cpuMs: (user + system) / 1000,
    rssBytes: process.memoryUsage.rss(),
    delayP99Ms: delay === null ? null : lateness(delay.percentile(99)),
    delayMaxMs: delay === null ? null : lateness(delay.max),
  }
}

/** The histogram holds the pauses between two ticks of its timer, the one that is meant included. */
function lateness(ns) {
  return Math.max(0, ns / 1e6 - resolutionMs)
}
