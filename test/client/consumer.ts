import { execFileSync } from 'node:child_process'
import { cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import ts from 'typescript'
import { Run, temporaryFolder } from '../helpers/daemon.ts'

/** What the library needs of the package's dependencies when it runs. */
const loaded = ['eventsource-parser', 'standardwebhooks']
/** What the compiler reads besides. */
const forTypes = ['zod', '@types/node']

/**
 * A folder of somebody who has installed the package: what `npm pack` puts into it, and of its
 * dependencies only those that the library may use.
 */
export async function consumerFolder() {
  const folder = await temporaryFolder()
  const modules = join(folder.path, 'node_modules')
  for (const file of packedFiles()) {
    const target = join(modules, 'jobwatch', file)
    await mkdir(dirname(target), { recursive: true })
    await cp(file, target)
  }
  for (const name of [...loaded, ...forTypes]) {
    await mkdir(dirname(join(modules, name)), { recursive: true })
    await symlink(resolve('node_modules', name), join(modules, name), 'junction')
  }

  return {
    ...folder,
    write: (name: string, text: string) => writeFile(join(folder.path, name), text),
    /** Compiles files of the folder to JavaScript beside them; answers with what is wrong. */
    compile(names: readonly string[], options: ts.CompilerOptions = {}): string[] {
      const program = ts.createProgram(
        names.map((name) => join(folder.path, name)),
        {
          target: ts.ScriptTarget.ES2022,
          module: ts.ModuleKind.NodeNext,
          strict: true,
          typeRoots: [join(modules, '@types')],
          types: ['node'],
          ...options,
        },
      )
      const { diagnostics } = program.emit()
      const faults = [...ts.getPreEmitDiagnostics(program), ...diagnostics]
      return faults.map(({ file, start = 0, messageText }) => {
        const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0
        const said = ts.flattenDiagnosticMessageText(messageText, '\n')
        return `${file?.fileName ?? ''}:${line} ${said}`
      })
    },
    /** Takes away what only the compiler needs. */
    async forgetTypes(): Promise<void> {
      for (const name of forTypes) await rm(join(modules, name), { recursive: true })
    },
    run: (script: string, args: readonly string[] = [], env: Record<string, string> = {}) =>
      new Run(args, env, undefined, { script, cwd: folder.path }),
  }
}

export type Consumer = Awaited<ReturnType<typeof consumerFolder>>

function packedFiles(): string[] {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const isWindows = process.platform === 'win32'
  const npm = isWindows ? 'npm.cmd' : 'npm'
  const output = execFileSync(npm, args, { shell: isWindows, stdio: ['ignore', 'pipe', 'ignore'] })
  const [packed] = JSON.parse(output.toString()) as { files: { path: string }[] }[]
  return (packed?.files ?? []).map(({ path }) => path)
}
