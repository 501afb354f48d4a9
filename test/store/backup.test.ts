import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { backUp } from '../../src/store/sqlite/backup.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { parseCursor, resolveCursor } from '../../src/core/cursor.ts'
import { noon } from '../helpers/builders.ts'
import {
  Ground,
  anEndpoint,
  overtakeMs,
  seqs,
  someDrafts,
  temporaryFolder,
  upTo,
} from './harness.ts'

const file = (place: string) => join(place, 'jobwatch.db')

/** A store with a few events, and its file. */
async function aStore() {
  const ground = await Ground.create(({ place, now }) =>
    openSqliteStore({ file: file(place), overtakeMs, now }),
  )
  await ground.sync(anEndpoint('ops'))
  await ground.register('j-1')
  await ground.look({ upstream: 'prod', jobid: 'j-1' }, someDrafts(4))
  return { ground, database: file(ground.place), target: join(ground.place, 'copy', 'backup.db') }
}

/** The copy as a store of its own. */
async function openCopy(target: string) {
  const copy = openSqliteStore({ file: target, overtakeMs, now: () => noon })
  const { events } = await copy.readEvents({ after: 0, limit: 100, filter: {} })
  const bounds = await copy.readBounds()
  return { copy, events, bounds }
}

describe('a backup', () => {
  test('has everything as it was, while the store goes on', async () => {
    const { ground, database, target } = await aStore()
    mkdirSync(join(ground.place, 'copy'))
    const made = backUp(database, target, noon)
    await ground.look({ upstream: 'prod', jobid: 'j-1' }, someDrafts(3))
    expect(made).toMatchObject({
      file: target,
      newestSeq: 5,
      jobs: 1,
      bytes: statSync(target).size,
    })
    const { copy, events } = await openCopy(target)
    expect(seqs(events)).toEqual(upTo(5))
    expect(events.map(({ text }) => text)).toEqual(
      (await ground.events()).slice(0, 5).map(({ text }) => text),
    )
    expect(await copy.findJob({ upstream: 'prod', jobid: 'j-1' })).toMatchObject({ lastSeq: 5 })
    expect(seqs(await ground.events())).toEqual(upTo(8))
    await copy.close()
  })

  test('goes on under an epoch of its own: known ids stay, the ones to come are never the same', async () => {
    const { ground, database, target } = await aStore()
    mkdirSync(join(ground.place, 'copy'))
    backUp(database, target, noon)
    await ground.look({ upstream: 'prod', jobid: 'j-1' }, someDrafts(2))
    const after = (await ground.events()).map(({ id }) => id)
    const { copy, events, bounds } = await openCopy(target)
    expect(events.map(({ id }) => id)).toEqual(after.slice(0, 5))
    expect(bounds.epochs).toHaveLength(2)
    const { job } = await copy.registerJob({ upstream: 'prod', jobid: 'j-2' }, noon)
    expect(job.lastSeq).toBe(6)
    const [own] = (await copy.readEvents({ after: 5, limit: 1, filter: {} })).events
    expect(after).not.toContain(own?.id)
    // A reader of the original that knows more than the copy is told of a gap.
    const known = await copy.readBounds()
    const resume = (id = '') => resolveCursor(parseCursor(id), known)
    expect(resume(after[4])).toEqual({ after: 5, gap: false })
    expect(resume(after[5])).toEqual({ after: 0, gap: true })
    await copy.close()
  })

  test('of a store that has written nothing since its own backup is again one of its own', async () => {
    const { ground, database, target } = await aStore()
    mkdirSync(join(ground.place, 'copy'))
    backUp(database, target, noon)
    const second = join(ground.place, 'copy', 'second.db')
    backUp(target, second, noon)
    const first = await openCopy(target)
    const again = await openCopy(second)
    expect(again.bounds.epochs).toHaveLength(2)
    expect(again.bounds.epochs.at(-1)?.epoch).not.toBe(first.bounds.epochs.at(-1)?.epoch)
    await first.copy.close()
    await again.copy.close()
  })

  test('takes the place of an older one, is for its owner alone and leaves nothing beside it', async () => {
    const { ground, database, target } = await aStore()
    mkdirSync(join(ground.place, 'copy'))
    writeFileSync(target, 'an older one')
    writeFileSync(
      join(ground.place, 'copy', '.backup.db.partial'),
      'left by a backup that was killed',
    )
    backUp(database, target, noon)
    expect(readdirSync(join(ground.place, 'copy'))).toEqual(['backup.db'])
    expect(statSync(target).mode & 0o777).toBe(0o600)
  })

  test('of a store that is closed, or was killed, has all that was committed', async () => {
    const { ground, database, target } = await aStore()
    mkdirSync(join(ground.place, 'copy'))
    await ground.store.close()
    expect(backUp(database, target, noon).newestSeq).toBe(5)
  })

  test('is never written over the database itself or what belongs to it', async () => {
    const { ground, database } = await aStore()
    const link = join(ground.place, 'link.db')
    symlinkSync(database, link)
    for (const own of [database, link, `${database}-wal`, `${database}.lock`, ground.place]) {
      expect(() => backUp(database, own, noon), own).toThrow(/belongs to the database|is no file/)
    }
    expect(seqs(await ground.events())).toEqual(upTo(5))
  })

  test('that cannot be written leaves the older one as it was, and says why', async () => {
    const { ground, database } = await aStore()
    expect(() => backUp(database, join(ground.place, 'none', 'b.db'), noon)).toThrow(
      /No backup was written/,
    )
    expect(() => backUp(join(ground.place, 'other.db'), join(ground.place, 'b.db'), noon)).toThrow(
      /There is no database/,
    )
    const broken = join(temporaryFolder(), 'broken.db')
    writeFileSync(broken, Buffer.alloc(8192, 'no database'))
    const kept = join(ground.place, 'kept.db')
    writeFileSync(kept, 'an older one')
    expect(() => backUp(broken, kept, noon)).toThrow(/No backup was written.*not a database/)
    expect(statSync(kept).size).toBe('an older one'.length)
  })

  test('of a damaged database is refused, not passed on', async () => {
    const { ground, database, target } = await aStore()
    mkdirSync(join(ground.place, 'copy'))
    await ground.store.close()
    const whole = readFileSync(database)
    // Every page but the first, which says what there is.
    writeFileSync(database, whole.fill(0xa5, 4096))
    expect(() => backUp(database, target, noon)).toThrow(/No backup was written|damaged/)
    expect(readdirSync(join(ground.place, 'copy'))).toEqual([])
  })
})
