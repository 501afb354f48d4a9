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
