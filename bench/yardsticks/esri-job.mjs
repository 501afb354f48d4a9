// Yardstick (d): Esri's own client, each job polled for itself at a fixed interval.
//   node esri-job.mjs <url of a service> <jobs> <interval in ms>
import { Job } from '@esri/arcgis-rest-request'

const [url, jobs, interval] = process.argv.slice(2)
for (let n = 0; n < jobs; n += 1) {
  const job = new Job({ url, id: `j${n}`, pollingRate: Number(interval) })
  setTimeout(() => job.startEventMonitoring(Number(interval)), (interval * n) / jobs)
}
