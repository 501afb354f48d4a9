import type { Database } from 'better-sqlite3'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { migrate, readMigrations } from '../../src/store/sqlite/migrate.ts'
import type { Migration } from '../../src/store/sqlite/migrate.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { anEndpointSpec, noon } from '../helpers/builders.ts'
import { overtakeMs, temporaryFolder } from './harness.ts'

/**
 * Rows as they were written under a migration's schema, by its number. The next migration starts
 * from them. A migration without an entry here fails its test.
 */
const rowsUnder: Record<number, string> = {
  1: `
    INSERT INTO epochs (first_seq, epoch, begun_at) VALUES (1, 'abc123', 1);
    INSERT INTO jobs (revision, upstream, jobid, state, status, snapshot, search, label, tags,
                      stall_after_ms, deadline_at, watched_at, polled_at, changed_at, last_seq)
      VALUES (3, 'prod', 'j-1', 'ended', 'FAILED', '{"stages":[],"messages":[]}', 'J-1', '"Nightly"',
              '["a"]', 60000, 5, 1, 2, 3, 2);
    INSERT INTO documents (job_id, text) VALUES (1, '{}');
    INSERT INTO events (type, upstream, jobid, tags, text)
      VALUES ('job.watched', 'prod', 'j-1', '[]', '{"n":1}'), ('job.failed', 'prod', 'j-1', '[]', '{"n":2}');
    INSERT INTO endpoints (name, origin, secret, paused_until, created_at)
      VALUES ('ops', 'config', 'whsec_x', 9, 1);
    INSERT INTO deliveries (endpoint_id, seq, type, upstream, jobid, state, attempt_count, due_at, created_at)
      VALUES (1, 1, 'job.watched', 'prod', 'j-1', 'pending', 1, 7, 1),
             (1, 2, 'job.failed', 'prod', 'j-1', 'pending', 0, 8, 2);
    INSERT INTO attempts (delivery_id, number, at, duration_ms, status, error, answer)
      VALUES (1, 1, 4, 12, 500, 'status', 'no');`,
}
rowsUnder[2] = `${rowsUnder[1] ?? ''}
    INSERT INTO upstreams (name, state, since, last_success_at, last_seq)
      VALUES ('prod', 'down', 5, 4, 2);
    INSERT INTO runs (upstream, operation, jobid, ended_at, duration_ms)
      VALUES ('prod', '/gis/admin/services/Parks.MapServer/edit', 'j-1', 6, 13000);`
rowsUnder[3] = rowsUnder[2]
rowsUnder[4] = `${rowsUnder[3]}
    INSERT INTO events (type, endpoint, tags, text) VALUES ('endpoint.failing', 'ops', '[]', '{"n":3}');
    INSERT INTO endpoints (name, origin, definition, secret, old_secret, old_secret_until, state,
                           since, reason, failures, failures_since, last_delivered_at, last_seq,
                           created_at)
      VALUES ('chat', 'api', '{}', 'whsec_y', 'whsec_z', 7, 'failing', 5, 'answered 500', 6, 4, 3, 3, 1);`

// Its one row comes with the migration itself.
rowsUnder[5] = rowsUnder[4]

const migrations = readMigrations()

function aDatabase(file = join(temporaryFolder(), 'jobwatch.db')): Database {
  const db = openDatabase(file)
  onTestFinished(() => {
    db.close()
  })
  return db
}

/** A step that this program might get later. */
function aMigration(number: number, sql: string): Migration {
  const name = `${String(number).padStart(4, '0')}_later.sql`
  return { number, name, sql, sha256: createHash('sha256').update(sql).digest('hex') }
}

/** Schema and rows, whole. */
function contentOf(db: Database): unknown {
  const tables = db
    .prepare<[], { name: string; sql: string | null }>(
      'SELECT name, sql FROM sqlite_schema ORDER BY type, name',
    )
    .all()
  const rows = tables
    .filter(({ sql }) => sql?.startsWith('CREATE TABLE') === true)
    .map(({ name }) => [name, db.prepare(`SELECT * FROM "${name}"`).all()])
  return { tables, rows }
}

function rowCounts(db: Database, names: readonly string[]) {
  const count = (name: string) =>
    db.prepare<[], number>(`SELECT count(*) FROM "${name}"`).pluck().get()
  return Object.fromEntries(names.map((name) => [name, count(name)]))
}

function tableNames(db: Database): readonly string[] {
  return db
    .prepare<[], string>(
      `SELECT name FROM sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'migrations' ORDER BY name`,
    )
    .pluck()
    .all()
}

function refusalOf(attempt: () => unknown): unknown {
  try {
    attempt()
  } catch (error) {
    return error
  }
  throw new Error('it was not refused')
}

test('the migrations are numbered from one, without holes', () => {
  expect(migrations.map(({ number }) => number)).toEqual(migrations.map((_, index) => index + 1))
})

test('each migration is applied once and written down', () => {
  const db = aDatabase()
  migrate(db, migrations, noon)
  const applied = db.prepare('SELECT number, name, sha256, applied_at FROM migrations').all()
  expect(applied).toEqual(
    migrations.map(({ number, name, sha256 }) => ({ number, name, sha256, applied_at: noon })),
  )
  const content = contentOf(db)
  migrate(db, migrations, noon + 1)
  expect(contentOf(db)).toEqual(content)
})

test.each(migrations.map((migration) => [migration.name, migration] as const))(
  '%s starts from the schema before it and keeps its rows',
  (_, migration) => {
    const db = aDatabase()
    const before = migrations.filter(({ number }) => number < migration.number)
    migrate(db, before, noon)
    const rows = rowsUnder[migration.number - 1]
    if (rows !== undefined) db.exec(rows)
    const counts = rowCounts(db, tableNames(db))

    migrate(db, [...before, migration], noon)
    expect(rowCounts(db, Object.keys(counts))).toEqual(counts)
    expect(db.pragma('foreign_key_check')).toEqual([])
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')

    // The rows that the migration after this one will start from.
    const own = rowsUnder[migration.number]
    if (own === undefined) throw new Error(`rowsUnder has no rows as ${migration.name} has them`)
    const fresh = aDatabase()
    migrate(fresh, [...before, migration], noon)
    fresh.exec(own)
    expect(fresh.pragma('foreign_key_check')).toEqual([])
    expect(Object.values(rowCounts(fresh, tableNames(fresh)))).not.toContain(0)
  },
)

test('a store opens what an earlier schema was filled with', async () => {
  const file = join(temporaryFolder(), 'jobwatch.db')
  const db = aDatabase(file)
  const [first] = migrations
  migrate(db, first === undefined ? [] : [first], noon)
  db.exec(rowsUnder[1] ?? '')
  db.close()

  const store = openSqliteStore({ file, overtakeMs, now: () => noon })
  onTestFinished(() => store.close())
  expect(await store.readBounds()).toEqual({
    ...{ newest: 2, oldest: 1, epochs: [{ epoch: 'abc123', firstSeq: 1 }] },
  })
  expect(await store.findJob({ upstream: 'prod', jobid: 'j-1' })).toMatchObject({
    ...{ state: 'ended', label: 'Nightly', tags: ['a'], deadline: { atMs: 5 }, lastSeq: 2 },
  })
  const { jobs } = await store.listJobs({ text: 'j-1', limit: 10, before: null })
  expect(jobs).toHaveLength(1)
  const { events } = await store.readEvents({ after: 0, limit: 10, filter: {} })
  expect(events.map(({ id, text }) => [id, text])).toEqual([
    ['abc123-1', '{"n":1}'],
    ['abc123-2', '{"n":2}'],
  ])
  const [endpoint] = await store.syncEndpoints([anEndpointSpec('ops', { format: 'webhook' })], noon)
  expect(endpoint).toMatchObject({ id: 1, pausedUntil: 9 })
  expect(endpoint?.secret?.reveal()).toBe('whsec_x')
  const due = await store.readDue({ endpointId: 1, now: noon, limit: 10 })
  expect(due).toMatchObject([
    { attemptCount: 1, event: { seq: 1 } },
    { attemptCount: 0, event: { seq: 2 } },
  ])
})

test('a file checked out with other line ends is the same migration', () => {
  const folder = temporaryFolder()
  for (const { name, sql } of migrations) {
    writeFileSync(join(folder, name), sql.replaceAll('\n', '\r\n'))
  }
  expect(readMigrations(folder)).toEqual(migrations)
})

test('what is no migration is left aside', () => {
  const folder = temporaryFolder()
  for (const name of ['0002_b.sql', '0001_a.sql', 'README.md', '0003_c.sql.orig', '1_x.sql']) {
    writeFileSync(join(folder, name), 'SELECT 1')
  }
  expect(readMigrations(folder).map(({ name }) => name)).toEqual(['0001_a.sql', '0002_b.sql'])
})

test('a migration that was edited after it was applied is refused, and nothing is written', () => {
  const db = aDatabase()
  const [first, ...others] = migrations
  if (first === undefined) throw new Error('there are migrations')
  migrate(db, migrations, noon)
  const content = contentOf(db)
  const edited = { ...first, ...aMigration(1, `${first.sql}\n-- edited`), name: first.name }
  const later = aMigration(migrations.length + 1, 'CREATE TABLE later (a INTEGER) STRICT')
  const refusal = refusalOf(() => {
    migrate(db, [edited, ...others, later], noon)
  })
  expect(refusal).toMatchObject({ code: 'migration_changed' })
  expect(String(refusal)).toContain(first.name)
  expect(contentOf(db)).toEqual(content)
})

test('a database of a newer version is refused by name, and not a byte of it changes', () => {
  const folder = temporaryFolder()
  const file = join(folder, 'jobwatch.db')
  const db = aDatabase(file)
  const later = aMigration(migrations.length + 1, 'CREATE TABLE later (a INTEGER) STRICT')
  migrate(db, [...migrations, later], noon)
  db.close()
  const bytes = readFileSync(file)

  const refusal = refusalOf(() => openSqliteStore({ file, overtakeMs, now: () => noon }))
  expect(refusal).toMatchObject({ code: 'database_newer' })
  expect(String(refusal)).toContain(later.name)
  expect(readFileSync(file).equals(bytes)).toBe(true)
  // The refused one has let go of everything: its log is gone, and the lock is free.
  expect(readdirSync(folder).sort()).toEqual(['jobwatch.db', 'jobwatch.db.lock'])
  expect(refusalOf(() => openSqliteStore({ file, overtakeMs, now: () => noon }))).toMatchObject({
    code: 'database_newer',
  })
})

test.each([
  ['a later statement is wrong', 'CREATE TABLE one (a INTEGER) STRICT; CREATE TABLE one (b)'],
  ['a row breaks a rule', 'CREATE TABLE one (a INTEGER CHECK (a > 0)); INSERT INTO one VALUES (0)'],
  ['it is no SQL', 'CREATE TABLE one (a INTEGER) STRICT; this is no SQL'],
])('a migration that fails because %s leaves nothing behind', (_, sql) => {
  const db = aDatabase()
  expect(() => {
    migrate(db, [aMigration(1, sql)], noon)
  }).toThrow()
  expect(contentOf(db)).toEqual({ tables: [], rows: [] })

  migrate(db, migrations, noon)
  db.exec(rowsUnder[1] ?? '')
  const content = contentOf(db)
  const next = migrations.length + 1
  const good = aMigration(
    next,
    'CREATE TABLE good (a INTEGER) STRICT; UPDATE jobs SET label = NULL',
  )
  expect(() => {
    migrate(db, [...migrations, aMigration(next, `DELETE FROM attempts; ${sql}`)], noon)
  }).toThrow()
  expect(contentOf(db)).toEqual(content)
  expect(db.inTransaction).toBe(false)

  // Mended, it goes through; of two the first stays when the second fails.
  expect(() => {
    migrate(db, [...migrations, good, aMigration(next + 1, sql)], noon)
  }).toThrow()
  expect(tableNames(db)).toContain('good')
  expect(tableNames(db)).not.toContain('one')
})

test('a file that is no database is refused and stays as it was', () => {
  const folder = temporaryFolder()
  const file = join(folder, 'jobwatch.db')
  const text = 'This is a letter, and no database at all.\n'.repeat(100)
  writeFileSync(file, text)
  const refusal = refusalOf(() => openSqliteStore({ file, overtakeMs, now: () => noon }))
  expect(refusal).toMatchObject({ code: 'database_unusable' })
  expect(String(refusal)).toContain(`${file} cannot be opened: file is not a database`)
  expect(readFileSync(file, 'utf8')).toBe(text)
  expect(readdirSync(folder).sort()).toEqual(['jobwatch.db', 'jobwatch.db.lock'])
})

test('a path where no file can be is refused by name', () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'file'), '')
  for (const file of [folder, join(folder, 'file', 'jobwatch.db')]) {
    const refusal = refusalOf(() => openSqliteStore({ file, overtakeMs, now: () => noon }))
    expect(refusal).toMatchObject({ code: 'database_unusable' })
    expect(String(refusal)).toContain(`The database ${file} cannot be opened: `)
    // Beside a folder that was taken for a database.
    rmSync(`${folder}.lock`, { force: true })
  }
})

test('a copy of a database that was closed in order is whole in its one file', async () => {
  const folder = temporaryFolder()
  const file = join(folder, 'jobwatch.db')
  const store = openSqliteStore({ file, overtakeMs, now: () => noon })
  await store.registerJob({ upstream: 'prod', jobid: 'j-1' }, noon)
  const { epochs } = await store.readBounds()
  await store.close()
  mkdirSync(join(folder, 'copy'))
  const copy = join(folder, 'copy', 'jobwatch.db')
  copyFileSync(file, copy)
  const copied = openSqliteStore({ file: copy, overtakeMs, now: () => noon })
  onTestFinished(() => copied.close())
  expect(await copied.readBounds()).toEqual({ epochs, newest: 1, oldest: 1 })
})
