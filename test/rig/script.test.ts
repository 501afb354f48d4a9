import { expect, test } from 'vitest'
import { search } from './canaries.ts'
import { textsIn } from './clients.ts'
import { upstreamNames, writeScript } from './script.ts'

const options = { seed: 7, seconds: 20, jobs: 60 }

test('the same seed writes the same script, another one another', () => {
  expect(writeScript(options)).toEqual(writeScript(options))
  expect(writeScript({ ...options, seed: 8 })).not.toEqual(writeScript(options))
})

test('every job goes on through time to an end, at one of the upstreams', () => {
  for (const { versions, upstream } of writeScript(options).jobs) {
    expect(upstreamNames).toContain(upstream)
    const times = versions.map(({ atMs }) => atMs)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times.at(-1)).toBeLessThanOrEqual(20_000)
    expect(versions.at(-1)?.status).toMatch(/^(COMPLETED|FAILED|CANCELLED)$/)
  }
})

test('the events of a page are found byte for byte, whatever is in their texts', () => {
  const events = [
    '{"specversion":"1.0","id":"e-1","data":{"text":"a \\"}{\\" b","more":[{}]}}',
    '{"specversion":"1.0","id":"e-2","data":{ "text" : "\\\\" }}',
  ]
  const page = `{"items":[${events.join(',')}],"next":2,"newest":2}`
  expect([...textsIn(page)]).toEqual([
    ['e-1', events[0]],
    ['e-2', events[1]],
  ])
})

test.each([
  ['as it is', 'a p+ss/word here'],
  ['in a URL', encodeURIComponent('p+ss/word')],
  ['in base64', Buffer.from('p+ss/word').toString('base64')],
  ['in hex', Buffer.from('p+ss/word').toString('hex')],
])('a secret is found %s', (_, text) => {
  const canaries = { 'the password': 'p+ss/word', 'the token': 'other' }
  expect(search('a log', text, canaries).found).toEqual(['the password'])
})
