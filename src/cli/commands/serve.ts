import type { Command } from 'commander'
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
      // The daemon takes longer to load than all other commands together.
      const { createApp } = await import('../../app.ts')
      await runUntilStopped(await createApp(config), io)
    })
}
