import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { filterQuery, hashOf, noFilters, parseAddress } from '../../src/web/address.ts'
import type { Address } from '../../src/web/address.ts'

const text = fc.string({ unit: 'binary' })
const name = fc.string({ unit: 'binary', minLength: 1 })
const address: fc.Arbitrary<Address> = fc.oneof(
  fc.record({
    view: fc.constant('job' as const),
    key: fc.record({ upstream: name, jobid: name }),
  }),
  fc.record({
    view: fc.constant('jobs' as const),
    filters: fc.record({ state: text, status: text, upstream: text, tag: text, q: text }),
  }),
  fc.constantFrom({ view: 'endpoints' } as const, { view: 'upstreams' } as const),
)

describe('an address', () => {
  test('is read as it was written, whatever ids and filters hold', () => {
    fc.assert(
      fc.property(address, (one) => {
        expect(parseAddress(hashOf(one))).toEqual(one)
      }),
    )
  })

  test.each(['j/1', 'j?1', 'j#1', 'j%2F1', '..', ' ', 'ü & ö', '💥'])(
    'leads to a job of the id %s, also after the browser has written it its way',
    (jobid) => {
      const key = { upstream: 'prod', jobid }
      const { hash } = new URL(hashOf({ view: 'job', key }), 'http://127.0.0.1/')
      expect(parseAddress(hash)).toEqual({ view: 'job', key })
    },
  )

  test('takes what is no percent-encoding as it stands', () => {
    const key = { upstream: 'prod', jobid: '100%' }
    expect(parseAddress('#/jobs/prod/100%')).toEqual({ view: 'job', key })
    expect(parseAddress('#/jobs/prod/%E0%A4%A')).toMatchObject({ key: { jobid: '%E0%A4%A' } })
  })

  test.each(['', '#', '#/', '#/elsewhere', '#/jobs', '#/jobs/prod', '#/jobs/prod/a/b', '#//'])(
    'that it does not know, as %s, is the list of all',
    (hash) => {
      expect(parseAddress(hash)).toEqual({ view: 'jobs', filters: noFilters })
    },
  )

  test('never fails to be read', () => {
    fc.assert(
      fc.property(text, (hash) => {
        expect(['jobs', 'job', 'endpoints', 'upstreams']).toContain(parseAddress(hash).view)
      }),
    )
  })

  test('of a list names the filters that are set, and no other', () => {
    expect(hashOf({ view: 'jobs', filters: { ...noFilters, q: 'a b', state: 'active' } })).toBe(
      '#/?state=active&q=a+b',
    )
    expect(hashOf({ view: 'jobs', filters: noFilters })).toBe('#/')
    expect(filterQuery(noFilters).toString()).toBe('')
    expect(parseAddress('#/?nonsense=1&tag=x')).toMatchObject({
      filters: { ...noFilters, tag: 'x' },
    })
  })
})
