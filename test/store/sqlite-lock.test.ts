import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import type { Store } from '../../src/store/store.ts'
import { noon } from '../helpers/builders.ts'
import { Child } from './child.ts'
import { overtakeMs, temporaryFolder } from './harness.ts'

const isWindows = process.platform === 'win32'

function openStore(file: string): Store {
  const store = openSqliteStore({ file, overtakeMs, now: () => noon })
  onTestFinished(() => store.close())
  return store
}

/** The error of an opening that is refused. */
function refusalOf(file: string): unknown {
  try {
    openStore(file)
  } catch (error) {
    return error
  }
  throw new Error(`${file} was opened`)
}

test('a second store of the same file is refused with a message that names the file', async () => {
  const file = join(temporaryFolder(), 'jobwatch.db')
  const first = openStore(file)
  const refusal = refusalOf(file)
  expect(refusal).toMatchObject({ code: 'database_in_use' })
  expect(String(refusal)).toContain(file)

  // The first one is none the worse for it.
  await first.registerJob({ upstream: 'prod', jobid: 'j-1' }, noon)
  expect(refusalOf(file)).toMatchObject({ code: 'database_in_use' })
  await first.close()
  const second = openStore(file)
  expect(await second.findJobsById('j-1')).toHaveLength(1)
})

test('a second process is refused, and the lock goes with the first one however it dies', async () => {
  const file = join(temporaryFolder(), 'jobwatch.db')
  const holder = new Child('open-store.mjs', file)
  expect(await holder.line()).toBe('open')
  const refusal = refusalOf(file)
  expect(refusal).toMatchObject({ code: 'database_in_use' })
  expect(String(refusal)).toContain(file)

  const rival = new Child('open-store.mjs', file)
  expect(await rival.line()).toBeNull()
  expect(await rival.errors()).toContain(`${file} is in use by another jobwatch`)

  await holder.kill()
  const store = openStore(file)
  // What the killed one wrote is there, and so is nothing of the one that was refused.
  expect((await store.readBounds()).newest).toBe(1)
})

test('a process that ends in order gives the lock back and leaves no log behind', async () => {
  const folder = temporaryFolder()
  const file = join(folder, 'jobwatch.db')
  const child = new Child('open-store.mjs', file)
  expect(await child.line()).toBe('open')
  expect(await child.end()).toBe(0)
  expect(existsSync(`${file}-wal`)).toBe(false)
  expect((await openStore(file).readBounds()).newest).toBe(1)
})

test.skipIf(isWindows)('the lock is of the file, by whatever name it is opened', async () => {
  const folder = temporaryFolder()
  const file = join(folder, 'jobwatch.db')
  await openStore(file).close()
  symlinkSync(file, join(folder, 'other.db'))
  mkdirSync(join(folder, 'real'))
  symlinkSync(folder, join(folder, 'real', 'folder'))

  openStore(file)
  expect(refusalOf(join(folder, 'other.db'))).toMatchObject({ code: 'database_in_use' })
  const detour = join(folder, 'real', 'folder', 'jobwatch.db')
  expect(refusalOf(detour)).toMatchObject({ code: 'database_in_use' })
})

test.skipIf(isWindows)(
  'under umask 077 the files and the folders made for them are for the owner alone',
  async () => {
    const folder = join(temporaryFolder(), 'a', 'b')
    const child = new Child('open-store.mjs', join(folder, 'jobwatch.db'))
    expect(await child.line()).toBe('open')
    const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)
    expect(modeOf(folder)).toBe('700')
    expect(modeOf(join(folder, '..'))).toBe('700')
    const names = readdirSync(folder)
    expect(names).toEqual(
      expect.arrayContaining(['', '-shm', '-wal', '.lock'].map((end) => `jobwatch.db${end}`)),
    )
    for (const name of names) expect(modeOf(join(folder, name)), name).toBe('600')
  },
)
