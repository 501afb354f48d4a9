import { format, formatWithOptions, inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret } from '../../src/core/secret.ts'

const secret = new Secret('hunter2')
const holder = { name: 'ops', secret, list: [secret], map: new Map([['key', secret]]) }

test('a secret gives its value only when asked for it', () => {
  expect(secret.reveal()).toBe('hunter2')
})

test.each<[string, () => string]>([
  // eslint-disable-next-line @typescript-eslint/restrict-template-expressions -- the very thing to try
  ['a template', () => `${secret}`],
  ['String()', () => String(secret)],
  ['a sum of texts', () => 'secret: ' + String(secret)],
  ['join', () => [secret, secret].join()],
  ['JSON', () => JSON.stringify(secret)],
  ['JSON of what holds it', () => JSON.stringify(holder)],
  ['inspect', () => inspect(secret)],
  ['inspect of what holds it', () => inspect(holder, { depth: null })],
  ['inspect with everything shown', () => inspect(secret, { showHidden: true, getters: true })],
  ['inspect without our own form', () => inspect(secret, { customInspect: false })],
  ['%s', () => format('%s', secret)],
  ['%o', () => format('%o', holder)],
  ['%O', () => format('%O', holder)],
  ['%j', () => format('%j', holder)],
  ['what console.log prints', () => formatWithOptions({ colors: true }, secret, holder)],
  ['its keys and values', () => JSON.stringify(Object.entries(secret))],
  ['its property names', () => Reflect.ownKeys(secret).map(String).join()],
  ['a copy', () => JSON.stringify(Object.assign({}, secret))],
  ['a structured clone', () => inspect(structuredClone(secret), { showHidden: true })],
  ['an error that names it', () => inspect(new Error(String(secret), { cause: secret }))],
])('%s does not show a secret', (_, print) => {
  expect(print()).not.toContain('hunter2')
})

test('where a secret is printed its place can be seen', () => {
  expect(String(secret)).toBe('[secret]')
  expect(JSON.stringify({ secret })).toBe('{"secret":"[secret]"}')
  expect(inspect({ secret })).toBe('{ secret: [secret] }')
})
