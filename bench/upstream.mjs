// An upstream in a process of its own: every job is running and never changes. Counts its requests.
import { createServer } from 'node:http'

let requests = 0
const server = createServer((request, response) => {
  requests += 1
  const [, jobid = 'j'] = /\/jobs\/([\w-]+)/.exec(request.url) ?? []
  const body = document(jobid)
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  response.end(body)
})
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
process.on('message', () => process.send({ requests }))
process.on('disconnect', () => process.exit())

/** About 0.8 KB, as a job with eight stages has. */
function document(jobid) {
  return JSON.stringify({
    progress: {
      stages: Array.from({ length: 8 }, (_, n) => ({
        name: `stage_number_${n}`,
        state: 'pending',
      })),
    },
    messages: [],
    resource: { name: 'default (id: qk2v81lmw0z7c3hd9t5np)' },
    name: 'editContainerRegistry',
    updatedtime: 1760000002000,
    jobid,
    requestID: '2c63888f-28f0-4481-be6d-dce7a7ace732',
    endtime: 0,
    starttime: 1760000000000,
    operationURI: '/gis/admin/system/containerregistries/qk2v81lmw0z7c3hd9t5np/edit',
    status: 'EXECUTING',
    username: 'siteadmin',
  })
}
