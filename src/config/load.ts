import { readFileSync } from 'node:fs'
import { LineCounter, parseDocument, stringify as stringifyYaml, visit } from 'yaml'
import type { Document } from 'yaml'
import { z } from 'zod'
import { UsageError } from '../core/errors.ts'
import { defaultEvents, defaultFold } from '../endpoint-settings.ts'
import { environmentConfig } from './environment.ts'
import { describeIssues } from './issues.ts'
import { configSchema } from './schema.ts'
import type { Environment } from './secret.ts'

type Parsed = z.output<ReturnType<typeof configSchema>>
/** The checked configuration, every default filled in. */
export type Config = ReturnType<typeof withDerivedDefaults>
export type UpstreamConfig = Config['upstreams'][number]
export type EndpointConfig = Config['endpoints'][number]

/** Where the daemon looks when it is given no file and the environment names none. */
const defaultFile = 'config/jobwatch.yaml'

/**
 * Reads the configuration: the given file, else `$JOBWATCH_CONFIG`, else `config/jobwatch.yaml` if
 * it is there, else the environment alone. Throws UsageError, which names every setting that is wrong.
 */
export function loadConfig(file: string | undefined, env: Environment): Config {
  const named = file ?? (env['JOBWATCH_CONFIG'] || undefined)
  const text = readConfigFile(named)
  if (text === null) return parseConfig(environmentConfig(env), 'the environment', env)
  const path = named ?? defaultFile
  return parseConfig(parseText(text, path), path, env)
}

/** Checks a configuration value as YAML gives it; `origin` names it in the error. */
export function parseConfig(value: unknown, origin: string, env: Environment): Config {
  const schema = configSchema(env)
  const parsed = schema.safeParse(value ?? {})
  if (parsed.success) return deepFreeze(withDerivedDefaults(parsed.data))
  const lines = describeIssues(parsed.error, schema).map((line) => `  ${line}`)
  throw new UsageError(
    'config_invalid',
    `The configuration in ${origin} is not valid:\n${lines.join('\n')}`,
  )
}

/** Headers in which credentials travel, by their names. */
const secretHeader = /auth|token|key|secret|cookie|password/i

/** The effective configuration as YAML, in the form of the file, with every secret hidden. */
export function printConfig(config: Config): string {
  const endpoints = config.endpoints.map((endpoint) => ({
    ...endpoint,
    headers: Object.fromEntries(
      Object.entries(endpoint.headers).map(([name, value]) => [
        name,
        secretHeader.test(name) ? '[secret]' : value,
      ]),
    ),
  }))
  return stringifyYaml(z.encode(configSchema({}), { ...config, endpoints }))
}

function readConfigFile(named: string | undefined): string | null {
  try {
    return readFileSync(named ?? defaultFile, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (named === undefined && code === 'ENOENT') return null
    throw new UsageError('config_unreadable', `The configuration cannot be read: ${message}`)
  }
}

function parseText(text: string, file: string): unknown {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
  })
  const [fault] = [...document.errors, ...document.warnings, ...danglingAliases(document)]
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0])
    throw badYaml(`${file}, line ${line}, column ${col}`, fault.message)
  }
  try {
    return document.toJS()
  } catch (error) {
    throw badYaml(file, (error as Error).message)
  }
}

/** The parser's messages quote the file after a colon; what is quoted may be a secret. */
function badYaml(place: string, message: string): UsageError {
  const [what = ''] = message.split(':')
  return new UsageError(
    'config_syntax',
    `${place}: this is not valid YAML: ${what}. A text that holds special characters wants quotes.`,
  )
}

/** A text that begins with `*`, such as a password, is taken for an alias. */
function danglingAliases(document: Document): { message: string; pos: readonly [number] }[] {
  const found: { message: string; pos: readonly [number] }[] = []
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return
      found.push({
        message: 'There is nothing that this alias stands for',
        pos: [alias.range?.[0] ?? 0],
      })
    },
  })
  return found
}

/** Fills in the defaults that follow from other settings. */
function withDerivedDefaults(config: Parsed) {
  return {
    ...config,
    upstreams: config.upstreams.map((upstream) => ({
      ...upstream,
      auth: {
        ...upstream.auth,
        ...(upstream.auth.token === undefined && {
          tokenUrl: upstream.auth.tokenUrl ?? defaultTokenUrl(upstream.root),
        }),
        referer: upstream.auth.referer ?? config.publicUrl ?? 'jobwatch',
      },
    })),
    endpoints: config.endpoints.map((endpoint) => ({
      ...endpoint,
      events: endpoint.events ?? [...defaultEvents(endpoint.format, endpoint.match)],
      fold: endpoint.fold ?? defaultFold(endpoint.format),
      timeout: endpoint.timeout ?? config.delivery.timeout,
    })),
  }
}

/** `https://host/context/admin` → `https://host/context/sharing/rest/generateToken`. */
function defaultTokenUrl(root: string): string {
  return new URL('sharing/rest/generateToken', root).href
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}
