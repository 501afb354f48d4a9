import type { Clock } from './clock.ts'
import type { Logger } from './log.ts'
import type { Store } from './store/store.ts'

export interface StorageWatchDeps {
  readonly store: Pick<Store, 'checkWritable'>
  /** Room beside the database; null where that cannot be told. */
  readonly freeBytes: () => Promise<number | null>
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Looks now and then whether the database can still be written and how much room it has, and says once
 * when that changes.
 */
export interface StorageWatch {
  start(): void
  stop(): void
}

const everyMs = 10_000
/** What a busy day writes, with room to act. */
const lowBytes = 1_000_000_000

export function createStorageWatch({
  store,
  freeBytes,
  clock,
  log,
}: StorageWatchDeps): StorageWatch {
  let isStopped = false
  let isTroubled = false
  let isLow = false
  let cancel = (): void => undefined

  function schedule(): void {
    if (isStopped) return
    cancel = clock.after(everyMs, () => void look().finally(schedule))
  }

  async function look(): Promise<void> {
    try {
      await store.checkWritable()
      if (isTroubled) log.info({}, 'storage.writable')
      isTroubled = false
    } catch (error) {
      if (!isTroubled) log.error({ err: error }, 'storage.unwritable')
      isTroubled = true
    }
    const bytes = await freeBytes()
    const wasLow = isLow
    isLow = bytes !== null && bytes < lowBytes
    if (isLow && !wasLow) log.warn({ freeBytes: bytes }, 'storage.low')
  }

  return {
    start: schedule,
    stop() {
      isStopped = true
      cancel()
    },
  }
}
