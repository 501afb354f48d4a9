// Yardstick: a bare loop that writes the rows of new jobs, one commit for a thousand of them.
//   node registration.mjs <database file>
// The file has the schema and the settings of the daemon's own.
import { migrate, readMigrations } from '../../dist/store/sqlite/migrate.js'
import { openDatabase } from '../../dist/store/sqlite/database.js'
import { answerCalls } from '../gauge.mjs'
import { writeJobs } from '../registration-rows.mjs'

const [file] = process.argv.slice(2)
const db = openDatabase(file)
migrate(db, readMigrations(), Date.now())
// Nothing but a call is what this process waits for.
process.channel.ref()
answerCalls({
  write(jobs) {
    writeJobs(db, jobs, { epoch: 'bench', now: Date.now })
  },
})
