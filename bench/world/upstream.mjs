// An upstream in a process of its own. `steady`: its jobs never change; `changing`: a stage does with
// every look, and `requestID` tells when it was answered, in ns of the machine's monotonic clock.
import { answerCalls } from '../gauge.mjs'
import { geoprocessingDocument, jobDocument } from './documents.mjs'
import { serveFast } from './http.mjs'

const [mode] = process.argv.slice(2)
const turns = new Map()
let requests = 0

const port = await serveFast((path) => {
  requests += 1
  const jobid = path.slice(path.indexOf('/jobs/') + 6).replace(/\?.*/, '')
  if (path.startsWith('/gp/')) return geoprocessingDocument(jobid)
  if (mode === 'steady') return jobDocument(jobid)
  const turn = (turns.get(jobid) ?? 0) + 1
  turns.set(jobid, turn)
  return jobDocument(jobid, turn, String(process.hrtime.bigint()))
})
answerCalls({ port: () => port, requests: () => requests })
