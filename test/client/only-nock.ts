import nock from 'nock'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'

/** For a whole file: no request reaches a network, and each answer that was prepared is asked for. */
export function onlyNock(): void {
  beforeAll(() => {
    nock.disableNetConnect()
  })
  afterEach(() => {
    const unused = nock.pendingMocks()
    nock.cleanAll()
    expect(unused).toEqual([])
  })
  afterAll(() => {
    nock.restore()
  })
}
