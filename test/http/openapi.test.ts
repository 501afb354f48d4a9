import { createConfig, lintFromString } from '@redocly/openapi-core'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { parseCursor } from '../../src/core/cursor.ts'
import { parseDuration } from '../../src/core/duration.ts'
import { Secret } from '../../src/core/secret.ts'
import type { ApiToken } from '../../src/http/auth.ts'
import { openApiDocument } from '../../src/http/openapi/document.ts'
import { operationGroups } from '../../src/http/operations.ts'
import { RegisterJob, RegisterJobs } from '../../src/http/requests/jobs.ts'
import { version } from '../../src/version.ts'
import { callApi, startApp } from '../helpers/app.ts'
import { problemOf } from './answers.ts'
import { routesOf, startServer } from './bare-server.ts'
import { judgeBy, objectsIn, operationsOf } from './documented.ts'
import type { Document, MediaJson } from './documented.ts'

const document = openApiDocument(operationGroups, version) as unknown as Document
const faultsOf = judgeBy(document)

const tokenNames = ['writer', 'reader', 'nobody'] as const
const tokens: readonly ApiToken[] = [
  { name: 'writer', token: new Secret('writer'), scopes: ['write'] },
  { name: 'reader', token: new Secret('reader'), scopes: ['read'] },
  { name: 'nobody', token: new Secret('nobody'), scopes: [] },
]

describe('the document', () => {
  test('is served as it is made, with the version of the daemon', async () => {
    await using app = await startApp()
    const answer = await app.call('/openapi.json')
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(answer.json).toEqual(JSON.parse(JSON.stringify(document)))
    expect(document).toMatchObject({ openapi: '3.1.1', info: { version }, servers: [{ url: '/' }] })
    expect((await app.call('/openapi.json')).text).toBe(answer.text)
  })

  test('has nothing that the linter of Redocly finds fault with', async () => {
    const config = await createConfig({
      extends: ['recommended'],
      rules: {
        'no-invalid-media-type-examples': 'error',
        'no-invalid-schema-examples': 'error',
      },
    })
    const source = JSON.stringify(document)
    const problems = await lintFromString({ source, config, absoluteRef: '/openapi.json' })
    expect(
      problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer]),
    ).toEqual([])
  })

  test('is judged by a linter that is awake', async () => {
    const config = await createConfig({ extends: ['recommended'] })
    const broken = structuredClone(document) as { paths: Record<string, Record<string, object>> }
    Object.assign(broken.paths['/v1/jobs']?.['get'] ?? {}, {
      operationId: 'getJob',
      security: [{ x: [] }],
    })
    const source = JSON.stringify(broken)
    const problems = await lintFromString({ source, config, absoluteRef: '/openapi.json' })
    expect(problems.map(({ ruleId }) => ruleId)).toEqual(
      expect.arrayContaining(['operation-operationId-unique', 'security-defined']),
    )
  })

  test('has an example for every body and every answer that has one', () => {
    const media = [...objectsIn(document)].filter(
      (entry): entry is [string, (typeof entry)[1] & MediaJson] =>
        /\/content\/[^/]+$/.test(entry[0]) && !entry[0].includes('/example'),
    )
    expect(media.length).toBeGreaterThan(50)
    for (const [pointer, { example, examples }] of media) {
      const named = Object.values(examples ?? {}) as { value: unknown }[]
      const values = [example, ...named.map(({ value }) => value)]
      const given = values.filter((value) => value !== undefined)
      expect(given.length, pointer).toBeGreaterThan(0)
      for (const value of given) expect(faultsOf(`${pointer}/schema`, value), pointer).toEqual([])
    }
  })

  test('has examples in its schemas that are such', () => {
    const schemas = [...objectsIn(document)].filter(
      ([pointer, { examples, type }]) =>
        Array.isArray(examples) && type !== undefined && !/\/examples?\//.test(pointer),
    )
    expect(schemas.length).toBeGreaterThan(5)
    for (const [pointer, { examples = [] }] of schemas) {
      for (const value of examples) expect(faultsOf(pointer, value), pointer).toEqual([])
    }
  })

  test('says of everything what it is, and to what it belongs', () => {
    const groups = document.tags.map(({ name }) => name)
    for (const { operation } of operationsOf(document)) {
      expect(operation.summary).toMatch(/^[A-Z]/)
      expect(groups).toContain(operation.tags[0])
    }
    expect(new Set(operationsOf(document).flatMap(({ operation }) => operation.tags)).size).toBe(
      groups.length,
    )
  })

  test('says that requests are strict and answers are open', () => {
    const { schemas } = document.components
    const named = (entry: MediaJson | undefined): string =>
      (entry?.schema.$ref ?? '').replace('#/components/schemas/', '')
    for (const { operation } of operationsOf(document)) {
      for (const response of Object.values(operation.responses)) {
        const answer = schemas[named(response.content?.['application/json'])] ?? {}
        for (const [, { additionalProperties }] of objectsIn(answer)) {
          expect(additionalProperties).not.toBe(false)
        }
      }
    }
    const bodies = Object.keys(schemas).filter((name) =>
      /^New|Changes$|ToWatch$|Request$|^JobBy/.test(name),
    )
    const open = bodies.flatMap((name) =>
      [...objectsIn(schemas[name])]
        .filter(([, { type, properties }]) => type === 'object' && properties !== undefined)
        .filter(([, { additionalProperties }]) => additionalProperties !== false)
        .map(() => name),
    )
    // Esri's answer to a submit is taken as it is.
    expect(open).toEqual(['JobBySubmitAnswer'])
  })

  test.each([
    ['JobByName', 'label', { maxLength: 200 }],
    ['JobByName', 'jobid', { pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$' }],
    ['JobByName', 'tags', { maxItems: 50, items: { minLength: 1, maxLength: 100 } }],
    ['JobsToWatch', 'jobs', { minItems: 1, maxItems: 1000 }],
    ['NewMailEndpoint', 'format', { const: 'email' }],
    ['Delivery', 'state', { enum: expect.arrayContaining(['pending', 'superseded']) as unknown }],
    ['Job', 'startedAt', { anyOf: [{ format: 'date-time' }, { type: 'null' }] }],
  ])('has the constraints of %s.%s', (name, property, constraints) => {
    const { properties = {} } = document.components.schemas[name] ?? {}
    const schema = properties[property] ?? {}
    const [own = {}] = (schema['anyOf'] ?? []) as object[]
    const isOwn = 'anyOf' in constraints || !('anyOf' in schema)
    expect(isOwn ? schema : own).toMatchObject(constraints)
  })

  test('says of every call that needs a token that a cookie will do', () => {
    expect(Object.keys(document.components.securitySchemes)).toEqual(['bearer', 'cookie'])
    for (const { operation } of operationsOf(document)) {
      if (operation.security.length === 0) continue
      const { bearer } = operation.security[0] ?? {}
      expect(operation.security).toEqual([{ bearer }, { cookie: bearer }])
    }
  })

  test('gives no way to spell a secret in an answer but those that make one', () => {
    const holders = Object.entries(document.components.schemas)
      .filter(([, { properties }]) => properties?.['secret'] !== undefined)
      .map(([name]) => name)
    expect(holders).toEqual(['EndpointWithSecret', 'NewWebhookEndpoint'])
  })
})

describe('the routes', () => {
  /** What the server really has: method and path as the document writes them, and what they need. */
  async function routesWithScopes(): Promise<readonly string[]> {
    await using at = await startServer({ tokens })
    const found: string[] = []
    for (const route of routesOf(at.server)) {
      const [method = '', path = ''] = route.split(' ')
      const answers = new Map<string, number>()
      for (const name of tokenNames) {
        const { statusCode } = await at.server.inject({
          method: method as 'GET',
          url: path.replaceAll(/:\w+/g, '1'),
          // A stream would not end; one that is refused says as much of the route.
          query: path === '/v1/events/stream' ? { after: '?' } : {},
          headers: { host: 'localhost', authorization: `Bearer ${name}` },
        })
        answers.set(name, statusCode)
      }
      if (answers.get('writer') === 405) continue
      const isFor = (name: string) => answers.get(name) !== 403
      const scope = isFor('nobody') ? 'open' : isFor('reader') ? 'read' : 'write'
      found.push(`${method} ${path.replaceAll(/:(\w+)/g, '{$1}')} ${scope}`)
    }
    return found
  }

  test('are those of the document, with the same scopes; HEAD goes with GET', async () => {
    const documented = operationsOf(document).flatMap(({ method, path, operation }) => {
      const scope = operation.security[0]?.['bearer']?.join() ?? 'open'
      const head = method === 'GET' ? [`HEAD ${path} ${scope}`] : []
      return [`${method} ${path} ${scope}`, ...head]
    })
    expect([...(await routesWithScopes())].sort()).toEqual(documented.sort())
  })

  /** A call that finds nothing, but is read first. */
  const targetOf = (path: string) => path.replaceAll(/\{\w+\}/g, '1')

  test('take the parameters of the document, and no others', async () => {
    await using at = await startServer()
    const call = (path: string, query: string) => callApi(`${at.url}${targetOf(path)}?${query}`, {})
    const unknown = /is not known here/
    let checked = 0
    for (const { method, path, operation } of operationsOf(document)) {
      const query = (operation.parameters ?? []).filter((one) => one.in === 'query')
      if (method !== 'GET' || query.length === 0) continue
      const stranger = await call(path, 'stranger=1&after=?')
      expect(stranger.status, path).toBe(400)
      expect(problemOf(stranger).errors, path).toContainEqual({
        field: 'stranger',
        message: expect.stringMatching(unknown) as string,
      })
      for (const { name } of query) {
        // The stranger is there to have the stream refused as well.
        const { errors = [] } = problemOf(await call(path, `${name}=x&stranger=1`))
        const strangers = errors.filter(({ message }) => message.includes('is not known here'))
        expect(
          strangers.map(({ field }) => field),
          `${path} ${name}`,
        ).toEqual(['stranger'])
        checked += 1
      }
    }
    expect(checked).toBeGreaterThan(20)
  })

  test('take a body where the document has one, and say of a stranger in it that it is one', async () => {
    await using at = await startServer()
    for (const { method, path, operation } of operationsOf(document)) {
      if (operation.requestBody === undefined) continue
      const send = (body?: unknown): ReturnType<typeof callApi> =>
        callApi(`${at.url}${targetOf(path)}`, { method: method as 'POST', body })
      const { errors = [] } = problemOf(await send({ stranger: 1 }))
      expect(
        errors.map(({ field }) => field),
        `${method} ${path}`,
      ).toContain('stranger')
      const without = await send()
      const isRefused = without.status === 400
      expect(isRefused, `${method} ${path}`).toBe(operation.requestBody.required)
    }
  })
})

describe('what the document refuses the daemon refuses too, and the other way round', () => {
  const values: readonly unknown[] = [
    ...[null, true, false, 0, 1, -1, 1.5, 1001, '', 'x', 'job.*', '1042', '30m', '-5m', '2h30m'],
    ...['2026-01-31T18:00:00Z', '2026-01-31T18:00+01:00', '2026-01-31', 'https://example.com/x'],
    ...[
      'a b',
      'ä',
      'x'.repeat(101),
      'x'.repeat(201),
      'x'.repeat(5000),
      'webhook',
      'email',
      'teams',
    ],
    ...[
      [],
      ['x'],
      [''],
      [1],
      Array(51).fill('x'),
      Array(101).fill('x'),
      {},
      { x: 1 },
      { tag: ['a'] },
    ],
    ...[
      'gis@example.com',
      'GIS <gis@example.com>',
      ['gis@example.com'],
      { 'X-A': 'b' },
      { 'a b': 'c' },
    ],
  ]

  /** The value with one of its parts, or a part that it has not, in place of another. */
  function* variants(example: unknown): Generator {
    yield* values
    if (typeof example !== 'object' || example === null || Array.isArray(example)) return
    for (const key of [...Object.keys(example), 'stranger']) {
      const { [key]: part, ...rest } = example as Record<string, unknown>
      yield rest
      for (const value of variants(part)) yield { ...rest, [key]: value }
    }
  }

  /** Every key that the body may have, so that each is tried. */
  const whole: Readonly<Record<string, object>> = {
    registerJob: {
      jobid: 'j',
      upstream: 'prod',
      label: 'x',
      tags: ['a'],
      stallAfter: '1h',
      deadline: '2h',
    },
    registerJobs: { jobs: [{ jobid: 'j' }] },
    changeJob: { label: 'x', tags: ['a'], stallAfter: '1h', deadline: '2h' },
    addEndpoint: {
      name: 'x',
      format: 'webhook',
      url: 'https://example.com',
      events: ['*'],
      match: { upstream: [], tag: [], jobid: [] },
      headers: {},
      fold: true,
      timeout: '5s',
      settings: {},
    },
    changeEndpoint: {
      url: 'https://example.com',
      events: ['*'],
      match: {},
      headers: {},
      fold: true,
      timeout: '5s',
    },
    replayEvents: { after: 1, until: 1042, types: ['job.*'] },
  }

  const operations = operationGroups.flatMap((group) => group.operations)
  const bodies = operations.flatMap(({ id, method, path, body }) =>
    body === undefined ? [] : [{ id, method, path, body }],
  )

  test.each(bodies)('the body of $id', ({ id, method, path, body }) => {
    const place = `/paths/${path.replaceAll('/', '~1')}/${method.toLowerCase()}`
    const pointer = `${place}/requestBody/content/application~1json/schema`
    const examples = [...Object.values(body.examples), ...(whole[id] ? [whole[id]] : [])]
    // Each job of a batch is checked for itself; here it has to be as it should be.
    const each = { jobs: z.array(RegisterJob).min(1).max(1000) }
    const schema = id === 'registerJobs' ? RegisterJobs.extend(each) : body.schema
    const differing: unknown[] = []
    let count = 0
    for (const example of examples) {
      expect(body.schema.safeParse(example).success, JSON.stringify(example)).toBe(true)
      for (const variant of variants(example)) {
        const isTaken = schema.safeParse(variant).success
        if ((faultsOf(pointer, variant).length === 0) !== isTaken)
          differing.push({ isTaken, variant })
        count += 1
      }
    }
    expect(count).toBeGreaterThan(values.length)
    expect(differing).toEqual([])
  })

  const queries = operations.flatMap(({ id, path, query }) =>
    query === undefined ? [] : [{ id, path, query }],
  )

  test.each(queries)('the query of $id', ({ id, query }) => {
    const documented = operationsOf(document).find(({ operation }) => operation.operationId === id)
    const { parameters = [] } = documented?.operation ?? {}
    const own = parameters.filter((one) => one.in === 'query')
    expect(own.map(({ name }) => name)).toEqual(Object.keys(query.shape))
    const texts = values.filter((value) => typeof value === 'string')
    for (const { name, schema } of own) {
      const index = parameters.findIndex((one) => one.name === name && one.in === 'query')
      const place = `/paths/${documented?.path.replaceAll('/', '~1') ?? ''}/${documented?.method.toLowerCase() ?? ''}`
      for (const text of [
        ...texts,
        '1',
        '1000',
        '1001',
        '0',
        '-1',
        '1.5',
        '5m',
        'active',
        'FAILED',
      ]) {
        const value =
          schema.type === 'array' ? [text] : schema.type === 'integer' ? asNumber(text) : text
        const isTaken = takes(query, name, text)
        const isDocumented = faultsOf(`${place}/parameters/${index}/schema`, value).length === 0
        expect(isDocumented, `${name}=${text}`).toBe(isTaken)
      }
    }
  })

  /** Whether the daemon takes this, as far as the document can say. */
  function takes(query: z.ZodObject, name: string, text: string): boolean {
    // A cursor is read by rules of its own, and an empty one is none.
    if (name === 'after') return text === '' || parseCursor(text) !== null
    // How long is too long, no pattern says.
    if (name === 'wait') return parseDuration(text) !== null
    return query.safeParse({ [name]: text }).success
  }

  /** As a client with the document would write it: what is no number is sent as it is. */
  function asNumber(text: string): unknown {
    return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
  }
})
