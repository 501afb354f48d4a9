// An upstream in a process of its own, whose jobs change with every look. `steady`: they never do;
// `changing`: a stage does, and `requestID` tells when it was answered, in ns of the machine's monotonic
// clock; `busy N`: N stages at once; `talkative` and `bulky`: documents of 1 MB do.
import { answerCalls } from '../gauge.mjs'
import {
  bulkyDocument,
  busyDocument,
  geoprocessingDocument,
  jobDocument,
  talkativeDocument,
} from './documents.mjs'
import { serveFast } from './http.mjs'

const [mode, stageCount] = process.argv.slice(2)
const documentOf = {
  steady: (jobid) => jobDocument(jobid),
  changing: (jobid, turn) => jobDocument(jobid, turn, String(process.hrtime.bigint())),
  busy: (jobid, turn) => busyDocument(jobid, Number(stageCount), turn),
  talkative: talkativeDocument,
  bulky: bulkyDocument,
}[mode]
const turns = new Map()
let requests = 0

const port = await serveFast((path) => {
  requests += 1
  const jobid = path.slice(path.indexOf('/jobs/') + 6).replace(/\?.*/, '')
  if (path.startsWith('/gp/')) return geoprocessingDocument(jobid)
  if (mode === 'steady') return documentOf(jobid)
  const turn = (turns.get(jobid) ?? 0) + 1
  turns.set(jobid, turn)
  return documentOf(jobid, turn)
})
answerCalls({ port: () => port, requests: () => requests })
