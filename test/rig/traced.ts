import { spawnSync } from 'node:child_process'
import { Run } from '../helpers/daemon.ts'

/** Whether there is an strace here that may trace. */
export const canTrace =
  process.platform === 'linux' &&
  spawnSync('strace', ['-D', '-f', '-o', '/dev/null', 'true']).status === 0

export interface TraceOptions {
  /** What else is noted or done: arguments of strace. */
  readonly strace: readonly string[]
  /** Only what concerns these files. */
  readonly files: readonly string[]
  readonly program?: string
}

/** Runs jobwatch under strace. The tracer stays apart, so that a signal goes to jobwatch itself. */
export function runTraced(
  args: readonly string[],
  { strace, files, program = 'dist/main.js' }: TraceOptions,
): Run {
  const paths = files.flatMap((file) => ['-P', file])
  return new Run(args, {}, undefined, {
    command: ['strace', '-D', '-f', ...paths, ...strace, process.execPath, program],
  })
}

/** Everything that is on its way to the disk. */
const calls = 'pwrite64,fsync,fdatasync,ftruncate,unlink,rename'

/** Kills at the n-th call that would change a file. */
export function killedAt(n: number): readonly string[] {
  return [
    '-o',
    '/dev/null',
    '-e',
    `trace=${calls}`,
    '-e',
    `inject=${calls}:signal=SIGKILL:when=${n}`,
  ]
}

/** Lets such calls fail, from the n-th on, so many of them. */
export function failingAt(
  n: number,
  { call, error, count }: { readonly call: string; readonly error: string; readonly count: number },
): readonly string[] {
  const when = `when=${n}..${n + count - 1}`
  return ['-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:error=${error}:${when}`]
}

/** The files of a database that are written to. */
export function filesOf(database: string): readonly string[] {
  return [database, `${database}-wal`]
}
