import type { Database } from 'better-sqlite3'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { AppError } from '../../core/errors.ts'
import { applicationId } from './database.ts'

/** A step of the schema as it lies in `migrations/sqlite`. */
export interface Migration {
  readonly number: number
  readonly name: string
  readonly sql: string
  readonly sha256: string
}

const folder = fileURLToPath(new URL('../../../migrations/sqlite/', import.meta.url))

/** The migrations that came with this program, in order. */
export function readMigrations(from: string = folder): readonly Migration[] {
  return readdirSync(from)
    .filter((name) => /^\d{4}_\w+\.sql$/.test(name))
    .sort()
    .map((name) => {
      // Git may have checked the file out with other line ends; the statements are the same.
      const sql = readFileSync(`${from}/${name}`, 'utf8').replaceAll('\r\n', '\n')
      const sha256 = createHash('sha256').update(sql).digest('hex')
      return { number: Number(name.slice(0, 4)), name, sql, sha256 }
    })
}

/**
 * Brings the schema up to date, each step in a transaction of its own. Refuses, having written
 * nothing, a database that a newer jobwatch has made or whose steps differ from the ones here.
 */
export function migrate(db: Database, migrations: readonly Migration[], now: number): void {
  const applied = readApplied(db)
  for (const { number, name, sha256 } of applied) {
    const known = migrations.find((migration) => migration.number === number)
    if (known === undefined) {
      throw new AppError(
        'database_newer',
        `The database has migration ${name}, which this jobwatch does not know: ` +
          'it was made by a newer version; run that one, or restore an older backup',
      )
    }
    if (known.sha256 !== sha256) {
      throw new AppError(
        'migration_changed',
        `Migration ${name} was applied to this database in another form than this jobwatch has it`,
      )
    }
  }
  const done = new Set(applied.map(({ number }) => number))
  for (const migration of migrations) {
    if (!done.has(migration.number)) apply(db, migration, now)
  }
  if (db.pragma('application_id', { simple: true }) !== applicationId) {
    db.pragma(`application_id = ${applicationId}`)
  }
}

interface Applied {
  readonly number: number
  readonly name: string
  readonly sha256: string
}

function readApplied(db: Database): readonly Applied[] {
  const table = db
    .prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'`)
    .get()
  if (table === undefined) return []
  return db
    .prepare<[], Applied>('SELECT number, name, sha256 FROM migrations ORDER BY number')
    .all()
}

function apply(db: Database, { number, name, sql, sha256 }: Migration, now: number): void {
  db.transaction(() => {
    db.exec(`
      CREATE TABLE IF NOT EXISTS migrations (
        number     INTEGER PRIMARY KEY,
        name       TEXT    NOT NULL,
        sha256     TEXT    NOT NULL,
        applied_at INTEGER NOT NULL
      ) STRICT`)
    db.prepare('INSERT INTO migrations (number, name, sha256, applied_at) VALUES (?, ?, ?, ?)').run(
      number,
      name,
      sha256,
      now,
    )
    db.exec(sql)
  }).immediate()
}
