import type { Command } from 'commander'
import { loadConfig } from '../../config/load.ts'
import type { Config } from '../../config/load.ts'
import { AppError, UsageError } from '../../core/errors.ts'
import type { Exchange, Finding, Upstream } from '../../upstream/upstream.ts'
import { version } from '../../version.ts'
import { jsonText, paint, safe, styleFor } from '../output.ts'
import type { Colour, Style } from '../output.ts'
import { print } from '../session.ts'
import type { CliIo } from '../session.ts'

interface DoctorOptions {
  readonly config?: string
  readonly upstream?: string
  readonly json?: boolean
}

export function addDoctorCommand(program: Command, io: CliIo): void {
  program
    .command('doctor')
    .description('ask each ArcGIS Enterprise for what jobwatch needs, and say what works')
    .option(
      '--config <file>',
      'configuration file (or JOBWATCH_CONFIG; default config/jobwatch.yaml)',
    )
    .option('--upstream <name>', 'ask this one only')
    .option('--json', 'print the findings as JSON')
    .action(async (options: DoctorOptions) => {
      const upstreams = chosen(loadConfig(options.config, io.env), options.upstream)
      const { createUpstreams } = await import('../../app.ts')
      const reports = []
      for (const upstream of createUpstreams({ upstreams })) {
        reports.push(await examineOne(upstream, options.json !== true, io))
      }
      if (options.json) await print(io.stdout, jsonText({ version, upstreams: reports }))
      const ill = reports.filter(({ works }) => !works).map(({ name }) => name)
      if (ill.length > 0) {
        const names = `${ill.join(', ')} ${ill.length === 1 ? 'does' : 'do'}`
        throw new AppError(
          'upstream_does_not_work',
          `${names} not work yet; the report says what to do`,
        )
      }
    })
}

function chosen({ upstreams }: Config, name: string | undefined): Config['upstreams'] {
  if (upstreams.length === 0) {
    throw new AppError(
      'no_upstream',
      'No upstream is configured, so there is nobody to ask. Write one under "upstreams" in the ' +
        'configuration (name, root and auth), or set JOBWATCH_UPSTREAM_ROOT with ' +
        'JOBWATCH_UPSTREAM_USERNAME and JOBWATCH_UPSTREAM_PASSWORD.',
    )
  }
  if (name === undefined) return upstreams
  const named = upstreams.filter((upstream) => upstream.name === name)
  if (named.length > 0) return named
  const names = upstreams.map((upstream) => upstream.name).join(', ')
  throw new UsageError('usage', `--upstream must be one of ${names}`)
}

async function examineOne(upstream: Upstream, isShown: boolean, io: CliIo) {
  const { name, kind } = upstream
  const style = styleFor(io)
  const show = async (text: string) => {
    if (isShown) await print(io.stdout, text)
  }
  const stop = () => void upstream.close()
  io.signal.addEventListener('abort', stop, { once: true })
  try {
    await show(heading(name, style))
    const findings: Finding[] = []
    for await (const finding of upstream.examine()) {
      io.signal.throwIfAborted()
      findings.push(finding)
      await show(findingLine(finding, style))
    }
    const works = findings.every(({ verdict }) => verdict === 'works' || verdict === 'skipped')
    await show(conclusion(name, works) + factList(findings) + exchangeList(findings))
    return { name, kind, works, findings }
  } finally {
    io.signal.removeEventListener('abort', stop)
    await upstream.close()
  }
}

interface Verdict {
  readonly emoji: string
  readonly colour: Colour
  readonly word: string
}

const faces: Record<Finding['verdict'], Verdict> = {
  works: { emoji: '✅', colour: 'green', word: 'works' },
  denied: { emoji: '🚫', colour: 'red', word: 'denied' },
  fails: { emoji: '❌', colour: 'red', word: 'fails' },
  skipped: { emoji: '➖', colour: 'dim', word: 'not asked' },
}

/** Like all of the report, it is Markdown that reads well on a terminal. */
function heading(name: string, style: Style): string {
  return `${paint(style, 'bold')(`## ${name} (jobwatch ${version})`)}\n\n`
}

function findingLine({ step, verdict, says }: Finding, style: Style): string {
  const { emoji, colour, word } = faces[verdict]
  const mark = style.emoji ? `${emoji} ` : ''
  return `- ${mark}${step}: ${paint(style, colour)(word)}. ${safe(says)}\n`
}

function conclusion(name: string, works: boolean): string {
  return works
    ? `\njobwatch can follow the jobs of ${name}.\n`
    : `\njobwatch cannot follow the jobs of ${name} as it should. The lines above say what to do.\n`
}

function factList(findings: readonly Finding[]): string {
  const facts = findings.flatMap((finding) => finding.facts)
  if (facts.length === 0) return ''
  return `\nWhat this deployment shows:\n\n${facts.map((fact) => `- ${safe(fact)}\n`).join('')}`
}

function exchangeList(findings: readonly Finding[]): string {
  const exchanges = findings.flatMap(({ exchange }) => (exchange === null ? [] : [exchange]))
  if (exchanges.length === 0) return '\n'
  return (
    '\nWhat was asked and answered. Passwords, tokens, user names and hosts are replaced; read it ' +
    'over before you paste it anywhere, and add the version of ArcGIS Enterprise:\n\n' +
    exchanges.map(exchangeText).join('')
  )
}

/** Indented, so that Markdown takes nothing in it for its own. */
function exchangeText({ request, status, contentType, body }: Exchange): string {
  const answer =
    status === null ? 'no answer' : `HTTP ${status}, ${contentType ?? 'without a content type'}`
  const lines = [request, answer, ...(body === '' ? [] : body.split('\n'))]
  return `${lines.map((line) => `    ${safe(line)}\n`).join('')}\n`
}
