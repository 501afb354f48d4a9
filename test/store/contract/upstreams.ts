import { describe, expect, test } from 'vitest'
import { upstreamDraft } from '../../../src/core/upstream-state.ts'
import type { UpstreamState } from '../../../src/core/upstream-state.ts'
import { noon } from '../../helpers/builders.ts'
import { Ground, anEndpoint, seqs, textOf } from '../harness.ts'
import type { OpenStore } from '../harness.ts'

/** How upstreams are, and the events that tell it. */
export function upstreamCases(open: OpenStore): void {
  const tell = (ground: Ground, name: string, state: UpstreamState, at: number) =>
    ground.store.commitUpstream({
      ...{ name, state, since: at - 1000, lastSuccessAt: noon, at },
      draft: upstreamDraft(state, 'HTTP 503', at - 1000),
    })

  describe('an upstream', () => {
    test('of which nothing was ever told is not known', async () => {
      const ground = await Ground.create(open)
      expect(await ground.store.findUpstream('prod')).toBeNull()
    })

    test('is found as it was last told, also after a restart', async () => {
      const ground = await Ground.create(open)
      await tell(ground, 'prod', 'down', noon + 1000)
      await tell(ground, 'prod', 'denied', noon + 5000)
      await tell(ground, 'dev', 'down', noon + 9000)
      const expected = { name: 'prod', state: 'denied', since: noon + 4000, lastSuccessAt: noon }
      expect(await ground.store.findUpstream('prod')).toEqual(expected)
      await ground.reopen()
      expect(await ground.store.findUpstream('prod')).toEqual(expected)
    })

    test('can be written without an event', async () => {
      const ground = await Ground.create(open)
      const upstream = { name: 'prod', state: 'up', since: noon, lastSuccessAt: null } as const
      await ground.store.commitUpstream({ ...upstream, draft: null, at: noon })
      expect(await ground.store.findUpstream('prod')).toEqual(upstream)
      expect(await ground.newest()).toBe(0)
    })

    test('has events of its own, about no job, each of which names the one before it', async () => {
      const ground = await Ground.create(open)
      await tell(ground, 'prod', 'down', noon + 1000)
      await ground.register('j-1')
      await tell(ground, 'dev', 'down', noon + 2000)
      await tell(ground, 'prod', 'up', noon + 3000)
      const own = await ground.events({ upstreams: ['prod'], types: ['upstream.*'] })
      expect(seqs(own)).toEqual([1, 4])
      expect(own.map(({ jobid, upstream, tags }) => ({ jobid, upstream, tags }))).toEqual([
        { jobid: null, upstream: 'prod', tags: [] },
        { jobid: null, upstream: 'prod', tags: [] },
      ])
      const [, up] = own
      if (up === undefined) throw new Error('two events were written')
      const epoch = up.id.split('-')[0] ?? ''
      expect(textOf(up)).toEqual({
        specversion: '1.0',
        id: `${epoch}-4`,
        source: '/upstreams/prod',
        type: 'upstream.up',
        subject: 'prod',
        time: '2026-01-05T12:00:03.000Z',
        datacontenttype: 'application/json',
        data: {
          seq: 4,
          previousSeq: 1,
          change: { kind: 'upstream', reason: 'HTTP 503', since: '2026-01-05T12:00:02.000Z' },
        },
      })
    })

    test('owes its events to the endpoints that want them, in order', async () => {
      const ground = await Ground.create(open)
      const [ops, jobsOnly] = await ground.sync(
        anEndpoint('ops', { types: ['upstream.*'] }),
        anEndpoint('jobs', { types: ['job.*'] }),
      )
      await tell(ground, 'prod', 'down', noon)
      await tell(ground, 'prod', 'up', noon)
      await tell(ground, 'dev', 'down', noon)
      expect(await ground.dueSeqs(ops?.id ?? 0)).toEqual([1, 3])
      await ground.deliver(ops?.id ?? 0, 1)
      expect(await ground.dueSeqs(ops?.id ?? 0)).toEqual([2, 3])
      expect(await ground.dueSeqs(jobsOnly?.id ?? 0)).toEqual([])
    })
  })
}
