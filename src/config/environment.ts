import { UsageError } from '../core/errors.ts'
import type { Environment } from './secret.ts'

type SecretForm = { readonly env: string } | { readonly file: string }

/**
 * The configuration that the environment alone describes: one upstream named `default`, one API
 * token, one webhook and one Slack endpoint, each if its variable is set. Unknown variables are
 * left alone, since Kubernetes injects `JOBWATCH_PORT` and the like.
 */
export function environmentConfig(env: Environment): object {
  const text = (name: string): string | undefined => env[name] || undefined
  const secret = (name: string): SecretForm | undefined => secretForm(env, name)

  const token = secret('JOBWATCH_API_TOKEN')
  const webhookUrl = secret('JOBWATCH_WEBHOOK_URL')
  const slackUrl = secret('JOBWATCH_SLACK_URL')
  const root = text('JOBWATCH_UPSTREAM_ROOT')
  const credentials = defined({
    token: secret('JOBWATCH_UPSTREAM_TOKEN'),
    username: text('JOBWATCH_UPSTREAM_USERNAME'),
    password: secret('JOBWATCH_UPSTREAM_PASSWORD'),
  })
  if (root === undefined && Object.keys(credentials).length > 0) {
    throw new UsageError(
      'config_invalid',
      'There are credentials for an upstream, but JOBWATCH_UPSTREAM_ROOT is not set: ' +
        'it is the URL of the admin directory, such as https://gis.example.com/arcgis/admin',
    )
  }
  return defined({
    listen: text('JOBWATCH_LISTEN'),
    database: text('JOBWATCH_DATABASE'),
    publicUrl: text('JOBWATCH_PUBLIC_URL'),
    api: token && { tokens: [{ name: 'default', token, scopes: ['read', 'write'] }] },
    upstreams: root && [
      defined({
        name: 'default',
        root,
        auth: credentials,
        discover: text('JOBWATCH_DISCOVER') && { enabled: flag(env, 'JOBWATCH_DISCOVER') },
      }),
    ],
    endpoints: [
      ...(webhookUrl
        ? [defined({ name: 'webhook', url: webhookUrl, secret: secret('JOBWATCH_WEBHOOK_SECRET') })]
        : []),
      ...(slackUrl ? [{ name: 'slack', format: 'slack', url: slackUrl }] : []),
    ],
  })
}

function secretForm(env: Environment, name: string): SecretForm | undefined {
  const file = env[`${name}_FILE`]
  if (!file) return env[name] ? { env: name } : undefined
  if (env[name]) {
    throw new UsageError(
      'config_invalid',
      `Both ${name} and ${name}_FILE are set: keep one of them`,
    )
  }
  return { file }
}

function flag(env: Environment, name: string): boolean {
  const value = env[name]?.toLowerCase()
  if (value === 'true' || value === '1') return true
  if (value === 'false' || value === '0') return false
  throw new UsageError(
    'config_invalid',
    `${name} must be true or false, not "${String(env[name])}"`,
  )
}

function defined(value: Record<string, unknown>): object {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined))
}
