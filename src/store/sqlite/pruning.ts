import type { Database } from 'better-sqlite3'
import { isEnd } from '../../core/job.ts'
import type { JobStatus } from '../../core/job.ts'
import type { Pruned, PruneQuery } from '../store.ts'

/** A slice takes away no more than this, so that the event loop is free again within milliseconds. */
const sliceSize = 200
const finishedStates = ['delivered', 'failed', 'superseded', 'cancelled'] as const
const restingStates = ['ended', 'stopped'] as const

/** Takes away what is older than people want to keep. Each call is one unit of the writer. */
export class Pruning {
  readonly #selectOldestEvents
  readonly #selectPendingAmong
  readonly #deleteDeliveriesOf
  readonly #deleteEvents
  readonly #selectFinished
  readonly #deleteDelivery
  readonly #selectResting
  readonly #deleteJob

  constructor(db: Database) {
    this.#selectOldestEvents = db.prepare<[number], { seq: number; time: string }>(
      `SELECT seq, json_extract(text, '$.time') AS time FROM events ORDER BY seq LIMIT ?`,
    )
    this.#selectPendingAmong = db
      .prepare<[number, number], number | null>(
        `SELECT min(seq) FROM deliveries WHERE seq >= ? AND seq <= ? AND +state = 'pending'`,
      )
      .pluck()
    this.#deleteDeliveriesOf = db.prepare<[number, number, number]>(
      `DELETE FROM deliveries WHERE id IN
         (SELECT id FROM deliveries WHERE seq >= ? AND seq <= ? ORDER BY seq LIMIT ?)`,
    )
    this.#deleteEvents = db.prepare<[number, number]>(
      'DELETE FROM events WHERE seq >= ? AND seq <= ?',
    )
    this.#selectFinished = db.prepare<[string, number], { id: number; createdAt: number }>(
      `SELECT id, created_at AS createdAt FROM deliveries WHERE state = ? ORDER BY id LIMIT ?`,
    )
    this.#deleteDelivery = db.prepare<[number]>('DELETE FROM deliveries WHERE id = ?')
    this.#selectResting = db.prepare<[string, number, number, number, number], RestingJob>(
      `SELECT id, watched_at AS watchedAt, changed_at AS changedAt, status,
              lost_since AS lostSince, looks_left AS looksLeft
         FROM jobs
        WHERE state = ? AND (watched_at, id) > (?, ?) AND watched_at < ?
        ORDER BY watched_at, id LIMIT ?`,
    )
    this.#deleteJob = db.prepare<[number]>('DELETE FROM jobs WHERE id = ?')
  }

  prune({ what, before, from }: PruneQuery): Pruned {
    switch (what) {
      case 'events':
        return this.#events(before)
      case 'deliveries':
        return this.#deliveries(before)
      case 'jobs':
        return this.#jobs(before, from)
    }
  }

  /**
   * The oldest events, in order of seq and never one out of their middle: what is kept has no hole.
   * One that is still to be delivered stays, and with it all that came after it.
   */
  #events(before: number): Pruned {
    const limit = new Date(before).toISOString()
    const oldest = this.#selectOldestEvents.all(sliceSize)
    const young = oldest.findIndex(({ time }) => time >= limit)
    const old = young === -1 ? oldest : oldest.slice(0, young)
    const first = old.at(0)?.seq
    const lastOld = old.at(-1)?.seq
    if (first === undefined || lastOld === undefined) return nothing
    const pending = this.#selectPendingAmong.get(first, lastOld) ?? null
    const last = pending === null ? lastOld : pending - 1
    if (last < first) return nothing
    // Of many endpoints there are many deliveries; they go first, in a slice of their own.
    const { changes } = this.#deleteDeliveriesOf.run(first, last, sliceSize)
    if (changes === sliceSize) return { removed: 0, next: beginning }
    return { removed: this.#deleteEvents.run(first, last).changes, next: beginning }
  }

  #deliveries(before: number): Pruned {
    for (const state of finishedStates) {
      const oldest = this.#selectFinished.all(state, sliceSize)
      const young = oldest.findIndex(({ createdAt }) => createdAt >= before)
      const old = young === -1 ? oldest : oldest.slice(0, young)
      for (const { id } of old) this.#deleteDelivery.run(id)
      if (old.length > 0) return { removed: old.length, next: beginning }
    }
    return nothing
  }

  #jobs(before: number, from: PruneQuery['from']): Pruned {
    const { part, watchedAt, id } = from ?? beginning
    const state = restingStates[part]
    if (state === undefined) return nothing
    const jobs = this.#selectResting.all(state, watchedAt, id, before, sliceSize)
    const old = jobs.filter((job) => isForgettable(job, before))
    for (const job of old) this.#deleteJob.run(job.id)
    const last = jobs.at(-1)
    const next =
      last === undefined
        ? { part: part + 1, watchedAt: -1, id: 0 }
        : { part, watchedAt: last.watchedAt, id: last.id }
    return { removed: old.length, next }
  }
}

interface RestingJob {
  readonly id: number
  readonly watchedAt: number
  readonly changedAt: number | null
  readonly status: JobStatus | null
  readonly lostSince: number | null
  readonly looksLeft: number
}

const beginning = { part: 0, watchedAt: -1, id: 0 }
const nothing: Pruned = { removed: 0, next: null }

/**
 * A job that was stopped while it ran stays: it is what keeps discovery from taking it up again.
 */
function isForgettable(job: RestingJob, before: number): boolean {
  if (job.looksLeft > 0 || (job.changedAt ?? job.watchedAt) >= before) return false
  return isEnd(job.status) || job.lostSince !== null
}
