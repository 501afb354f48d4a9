import { join } from 'node:path'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { runStoreContract } from './store-contract.ts'

runStoreContract('the SQLite store', ({ place, overtakeMs, now }) =>
  openSqliteStore({ file: join(place, 'jobwatch.db'), overtakeMs, now }),
)
