import { Command } from 'commander'
import { version } from '../version.ts'
import { addBackupCommand } from './commands/backup.ts'
import { addConfigCommand } from './commands/config.ts'
import { addDeliveriesCommand } from './commands/deliveries.ts'
import { addDemoCommand } from './commands/demo.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { addEndpointsCommand } from './commands/endpoints.ts'
import { addFollowCommand } from './commands/follow.ts'
import { addJobCommand } from './commands/job.ts'
import { addJobsCommand } from './commands/jobs.ts'
import { addServeCommand } from './commands/serve.ts'
import { addWaitCommand } from './commands/wait.ts'
import { addWatchCommand } from './commands/watch.ts'
import type { DaemonIo } from './run-app.ts'

/** The command line: every command, none run yet. */
export function createProgram(io: DaemonIo): Command {
  const program = new Command('jobwatch')
    .description('turns the asynchronous jobs of ArcGIS Enterprise into events')
    .version(version)
    .showHelpAfterError('(jobwatch --help lists the commands)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
  addServeCommand(program, io)
  addDemoCommand(program, io)
  addDoctorCommand(program, io)
  addConfigCommand(program, io)
  addWatchCommand(program, io)
  addWaitCommand(program, io)
  addJobsCommand(program, io)
  addJobCommand(program, io)
  addFollowCommand(program, io)
  addEndpointsCommand(program, io)
  addDeliveriesCommand(program, io)
  addBackupCommand(program, io)
  return program
}
