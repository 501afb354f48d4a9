import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { parseConfig, printConfig } from '../../src/config/load.ts'
import { configSchema } from '../../src/config/schema.ts'
import { temporaryFolder } from '../helpers/daemon.ts'

const secrets = {
  JOBWATCH_UPSTREAM_PASSWORD: 'a password',
  JOBWATCH_OPS_TOKEN: 'a-token',
  JOBWATCH_OPS_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
  SLACK_WEBHOOK_URL: 'https://hooks.slack.com/services/x',
  TEAMS_WORKFLOW_URL: 'https://prod-1.westeurope.logic.azure.com/workflows/x?sig=x',
}

/** The example, as it is and with every setting that stands behind a `#` taken up. */
async function readExample() {
  const asIs = await readFile('config/jobwatch.example.yaml', 'utf8')
  const full = asIs
    .split('\n')
    .map((line) => line.replace(/^(\s*)#(\s*(?:#|$|(?:- )?\w+:(?: |$)).*)/, '$1$2'))
    .join('\n')
  return { asIs: parse(asIs) as Tree, full: parse(full) as Tree }
}

type Tree = Readonly<Record<string, unknown>>

/** A secret's form and a header's name are no settings. */
function isLeaf(path: string): boolean {
  return /\.(token|password|url|secret|headers)$/.test(path)
}

/** `upstreams[].auth.token` and so on; leaves are not looked into. */
function pathsIn(value: unknown, isLeaf: (path: string) => boolean, path = ''): Set<string> {
  if (typeof value !== 'object' || value === null || isLeaf(path)) return new Set()
  const inner = Array.isArray(value)
    ? value.map((item) => [`${path}[]`, item] as const)
    : Object.entries(value).map(
        ([key, item]) => [path === '' ? key : `${path}.${key}`, item] as const,
      )
  return new Set(
    inner.flatMap(([at, item]) => [
      ...(at.endsWith('[]') ? [] : [at]),
      ...pathsIn(item, isLeaf, at),
    ]),
  )
}

/** The same paths out of the schema. Codecs and records are values: what is in them is no setting. */
function pathsOf(schema: z.core.$ZodType, path = ''): Set<string> {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return pathsOf(schema.def.innerType, path)
  }
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return pathsOf(schema.def.innerType, path)
  }
  if (schema instanceof z.ZodArray) return pathsOf(schema.def.element, `${path}[]`)
  if (schema instanceof z.ZodDiscriminatedUnion) {
    return new Set(schema.def.options.flatMap((option) => [...pathsOf(option, path)]))
  }
  if (!(schema instanceof z.ZodObject)) return new Set()
  const shape = schema.def.shape as Readonly<Record<string, z.core.$ZodType>>
  return new Set(
    Object.entries(shape).flatMap(([key, value]) => {
      const at = path === '' ? key : `${path}.${key}`
      return [at, ...pathsOf(value, at)]
    }),
  )
}

test('the example has every setting of the schema, and the schema every setting of the example', async () => {
  const { full } = await readExample()
  const known = pathsOf(configSchema({}))
  expect([...known].length).toBeGreaterThan(60)
  expect([...pathsIn(full, isLeaf)].sort()).toEqual([...known].sort())
})

test('what the example sets is what holds without it', async () => {
  const { asIs } = await readExample()
  const [first] = asIs['upstreams'] as { name: string; root: string; auth: Tree }[]
  const { name, root, auth } = first ?? { name: '', root: '', auth: {} }
  const { username, password } = auth
  const required = { upstreams: [{ name, root, auth: { username, password } }] }
  const parsed = parseConfig(asIs, 'the example', secrets)
  expect(parsed).toEqual(parseConfig(required, 'the required settings', secrets))
  // Nothing but the upstream is needed: the rest of the file is the same as no file.
  expect({ ...parsed, upstreams: [] }).toEqual(parseConfig({}, 'nothing', {}))
})

test('every default is spelled out, so that nobody has to guess one', async () => {
  const { asIs } = await readExample()
  const config = parseConfig(asIs, 'the example', secrets)
  const shown = pathsIn(asIs, isLeaf)
  const derivedOrNone = [
    'api',
    'endpoints',
    'upstreams[].auth.tokenUrl',
    'upstreams[].auth.referer',
  ]
  const inForce = pathsIn(parse(printConfig(config)), (path) => isLeaf(path) || path === 'api')
  expect([...inForce].filter((path) => !shown.has(path)).sort()).toEqual(derivedOrNone.sort())
})

test('the example with every setting taken up is accepted', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'token')
  await writeFile(file, 'an upstream token')
  const { full } = await readExample()
  const [first, second] = full['upstreams'] as Tree[]
  const upstreams = [first, { ...second, auth: { token: { file } } }]
  const endpoints = (full['endpoints'] as Tree[]).map((endpoint) =>
    endpoint['format'] === 'email'
      ? { ...endpoint, settings: { ...(endpoint['settings'] as Tree), password: { file } } }
      : endpoint,
  )
  const config = parseConfig({ ...full, upstreams, endpoints }, 'the example', secrets)
  expect(config.upstreams.map(({ name }) => name)).toEqual(['prod', 'test'])
  expect(config.endpoints.map(({ name, format }) => [name, format])).toEqual([
    ['ops', 'webhook'],
    ['ops-slack', 'slack'],
    ['ops-teams', 'teams'],
    ['on-call', 'email'],
  ])
})

test('the derived defaults that the example shows are those that are derived', async () => {
  const { asIs, full } = await readExample()
  const [shown] = full['upstreams'] as { auth: { tokenUrl: string; referer: string } }[]
  const config = parseConfig({ ...asIs, publicUrl: full['publicUrl'] }, 'the example', secrets)
  const [upstream] = config.upstreams
  expect(upstream?.auth.tokenUrl).toBe(shown?.auth.tokenUrl)
  expect(upstream?.auth.referer).toBe(shown?.auth.referer)
})
