// Opens the store of the built daemon, says `open` and keeps it until it is killed or its standard
// input ends.
import process from 'node:process'
import { openSqliteStore } from '../../../dist/store/sqlite/store.js'

process.umask(0o077)
const [, , file] = process.argv
const store = openSqliteStore({ file, overtakeMs: 300_000, now: () => Date.now() })
await store.registerJob({ upstream: 'prod', jobid: `by-${process.pid}` }, Date.now())
process.stdout.write('open\n')
process.stdin.resume()
process.stdin.on('end', () => store.close())
