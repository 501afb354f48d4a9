import type { Command } from 'commander'
import { createApp } from '../../app.ts'
import { loadConfig } from '../../config/load.ts'
import { runUntilStopped } from '../run-app.ts'
import type { DaemonIo } from '../run-app.ts'

export function addServeCommand(program: Command, io: DaemonIo): void {
  program
    .command('serve')
    .description('run the daemon')
    .option(
      '--config <file>',
      'configuration file (or JOBWATCH_CONFIG; default config/jobwatch.yaml)',
    )
    .action(async ({ config: file }: { config?: string }) => {
      const config = loadConfig(file, io.env)
      await runUntilStopped(await createApp(config), io)
    })
}
