import type { Command } from 'commander'
import { loadConfig } from '../../config/load.ts'
import { jsonText } from '../output.ts'
import { print } from '../session.ts'
import type { CliIo } from '../session.ts'

interface BackupOptions {
  readonly config?: string
  readonly json?: boolean
}

export function addBackupCommand(program: Command, io: CliIo): void {
  program
    .command('backup')
    .description('write a consistent copy of the database, also while the daemon runs')
    .argument('<file>', 'where to; a file of that name is replaced once the copy is whole')
    .option('--config <file>', 'the configuration that names the database, as for serve')
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      '\nThe copy goes on under a fresh epoch: a daemon that starts on it tells its readers by\n' +
        'feed.gap what it does not know of.\n',
    )
    .action(async (file: string, { config, json }: BackupOptions) => {
      const { database } = loadConfig(config, io.env)
      // Other commands have no use for SQLite, and do not load it.
      const { backUp } = await import('../../store/sqlite/backup.ts')
      const made = backUp(database, file, Date.now())
      const { bytes, newestSeq, jobs } = made
      const words = `${made.file}: ${sizeWords(bytes)}, ${jobs} jobs, events up to #${newestSeq}`
      await print(io.stdout, json ? jsonText(made) : `${words}\n`)
    })
}

function sizeWords(bytes: number): string {
  return bytes < 1_048_576
    ? `${Math.ceil(bytes / 1024)} KiB`
    : `${(bytes / 1_048_576).toFixed(1)} MiB`
}
