// Job documents of about 0.8 KB, as a job with eight stages has.

const stageCount = 8
const stageStates = ['pending', 'started', 'completed']

/**
 * The document of a running job. `turn` counts its changes: from each turn to the next one stage is in
 * another state, and nothing else differs but `requestID`, in which the moment of the answer is told.
 */
export function jobDocument(jobid, turn = 0, requestID = '2c63888f-28f0-4481-be6d-dce7a7ace732') {
  return (
    `{"progress":{"stages":[${stagesAt(turn)}]},"messages":[],` +
    `"resource":{"name":"default (id: qk2v81lmw0z7c3hd9t5np)"},"name":"editContainerRegistry",` +
    `"updatedtime":1760000002000,"jobid":"${jobid}","requestID":"${requestID}","endtime":0,` +
    `"starttime":1760000000000,` +
    `"operationURI":"/gis/admin/system/containerregistries/qk2v81lmw0z7c3hd9t5np/edit",` +
    `"status":"EXECUTING","username":"siteadmin"}`
  )
}

/** All that there are, since they come again after a while. */
const texts = Array.from({ length: stageCount * stageStates.length }, (_, turn) => {
  const round = Math.floor(turn / stageCount)
  const changed = turn % stageCount
  const stages = Array.from({ length: stageCount }, (_, n) => ({
    name: `stage_number_${n}`,
    state: stageStates[(n < changed ? round + 1 : round) % stageStates.length],
  }))
  return JSON.stringify(stages).slice(1, -1)
})

function stagesAt(turn) {
  return texts[turn % texts.length]
}

/** A document of which each stage is in another state with each turn. */
export function busyDocument(jobid, stageCount, turn) {
  const state = stageStates[turn % stageStates.length]
  const stages = Array.from({ length: stageCount }, (_, n) => ({
    name: `stage_number_${n}`,
    state,
  }))
  return withFields(jobDocument(jobid), { progress: { stages } })
}

const line = 'The service was asked for its status and answered that it is being configured. '
const manyMessages = Array.from({ length: 4999 }, (_, n) => `${n}: ${line.repeat(2)}`)

/** A document of about 1 MB, of five thousand messages: with each turn the last one is another. */
export function talkativeDocument(jobid, turn) {
  return withFields(jobDocument(jobid), { messages: [...manyMessages, `This is turn ${turn}`] })
}

const bigResult = Array.from({ length: 4000 }, (_, n) => ({
  id: n,
  itemUrl: `https://gis.example.com/portal/home/item.html?id=${String(n).padStart(32, '0')}`,
  datasets: { name: `dataset_number_${n}`, isPublished: n % 2 === 0, sizeInBytes: n * 4096 },
}))

/** A document of about 1 MB, most of it its result: with each turn a stage is in another state. */
export function bulkyDocument(jobid, turn) {
  return withFields(jobDocument(jobid, turn), { result: { items: bigResult } })
}

function withFields(document, fields) {
  return JSON.stringify({ ...JSON.parse(document), ...fields })
}

/** A job of a geoprocessing service, for Esri's own client. */
export function geoprocessingDocument(jobId) {
  return JSON.stringify({
    jobId,
    jobStatus: 'esriJobExecuting',
    messages: [],
    inputs: {},
    results: {},
  })
}
