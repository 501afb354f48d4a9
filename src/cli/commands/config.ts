import type { Command } from 'commander'
import { loadConfig, printConfig } from '../../config/load.ts'
import { print } from '../session.ts'
import type { CliIo } from '../session.ts'

export function addConfigCommand(program: Command, io: CliIo): void {
  program
    .command('config')
    .description('look at the configuration')
    .command('check')
    .description('check the configuration and print what is in force, secrets hidden')
    .option(
      '--config <file>',
      'configuration file (or JOBWATCH_CONFIG; default config/jobwatch.yaml)',
    )
    .action(async ({ config: file }: { config?: string }) => {
      await print(io.stdout, printConfig(loadConfig(file, io.env)))
    })
}
