import type { Command } from 'commander'
import { UsageError } from '../core/errors.ts'

/** The command of a group that is meant when none is named. */
export function addListCommand(group: Command): Command {
  return group
    .command('list', { isDefault: true })
    .allowExcessArguments()
    .hook('preAction', (_, { args: [word] }) => {
      if (word === undefined) return
      const name = `jobwatch ${group.name()}`
      throw new UsageError(
        'usage',
        `"${word}" is no command of ${name}: "${name} show ${word}" shows one of them, ` +
          `"${name} --help" lists the commands`,
      )
    })
}
