import { stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Bytes that this process may still write beside a file; null where that cannot be told. */
export async function freeBytesBeside(file: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(dirname(file))
    return bavail * bsize
  } catch {
    return null
  }
}

/** Null when there is no such file. */
export async function sizeOf(file: string): Promise<number | null> {
  try {
    return (await stat(file)).size
  } catch {
    return null
  }
}
