import { describe, expect, test } from 'vitest'
import type { AttemptResult } from '../../../src/core/delivery.ts'
import type { EndpointSpec } from '../../../src/core/endpoint.ts'
import { Secret } from '../../../src/core/secret.ts'
import type { AttemptRecord, StoredEndpoint } from '../../../src/store/store.ts'
import { noon } from '../../helpers/builders.ts'
import {
  Ground,
  aDraft,
  anAnswer,
  anEndpoint,
  delivered,
  minute,
  refused,
  someDrafts,
  textOf,
  upTo,
} from '../harness.ts'
import type { OpenStore } from '../harness.ts'

const day = 86_400_000
const key = { upstream: 'prod', jobid: 'j-1' }
const given = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const another = 'whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc='

function aWebhook(name: string, fields: Partial<EndpointSpec> = {}): EndpointSpec {
  return anEndpoint(name, {}, { format: 'webhook', ...fields })
}

/** An endpoint whose secrets can be compared. */
function revealed(endpoint: StoredEndpoint | null | undefined) {
  if (!endpoint) return null
  const { spec, secret, oldSecret, ...rest } = endpoint
  const { url, mail, secret: ofSpec, ...described } = spec
  return {
    ...rest,
    ...described,
    url: url?.reveal(),
    mail: mail && { ...mail, password: mail.password?.reveal() },
    ofSpec: ofSpec?.reveal(),
    secret: secret?.reveal(),
    oldSecret: oldSecret && { ...oldSecret, secret: oldSecret.secret.reveal() },
  }
}

async function add(ground: Ground, spec: EndpointSpec): Promise<StoredEndpoint> {
  const endpoint = await ground.store.addEndpoint(spec, ground.now)
  if (endpoint === null) throw new Error(`the name ${spec.name} is taken`)
  return endpoint
}

async function find(ground: Ground, name: string): Promise<StoredEndpoint | null> {
  const endpoints = await ground.store.listEndpoints()
  return endpoints.find(({ spec }) => spec.name === name) ?? null
}

/** All deliveries of the endpoint of this name, the oldest first. */
async function deliveries(ground: Ground, endpoint: string) {
  const page = await ground.store.listDeliveries({ endpoint, limit: 1000, before: null })
  return [...page.deliveries].reverse()
}

/** An attempt at whatever is due first, or by hand at what is given. */
async function attempt(
  ground: Ground,
  endpointId: number,
  result: Partial<AttemptResult>,
  record: Partial<AttemptRecord> = {},
): Promise<StoredEndpoint | null> {
  const [due] = await ground.due(endpointId)
  const deliveryId = record.deliveryId ?? due?.id ?? 0
  const after = { state: 'pending', dueAt: ground.now, pauseUntil: null } as const
  const failed = { verdict: 'retry', status: 500, error: 'status', detail: 'answered 500' } as const
  return ground.store.recordAttempt({
    ...{ deliveryId, endpointId, after, isByHand: false, now: ground.now },
    result: anAnswer({ ...failed, at: ground.now, ...result }),
    ...record,
  })
}

/** Five failures in a row, a second apart. */
async function makeFail(ground: Ground, endpointId: number): Promise<void> {
  for (let n = 0; n < 5; n += 1) {
    ground.now += 1000
    await attempt(ground, endpointId, {})
  }
}

async function eventsOf(ground: Ground, endpoint: string) {
  const events = await ground.events({ types: ['endpoint.*'] })
  return events.filter((event) => event.endpoint === endpoint)
}

/** Endpoints made over the API, their secrets and how they are. */
export function endpointCases(open: OpenStore): void {
  describe('an endpoint made over the API', () => {
    const mail = {
      ...{ host: 'mail.example.com', port: 587, user: 'jobwatch' },
      ...{ from: 'jobwatch@example.com', to: ['a@example.com', 'b@example.com'] },
    }

    test('is kept as it was described, over a restart too', async () => {
      const ground = await Ground.create(open)
      const hook = aWebhook('hook', {
        url: new Secret('https://user:pass@example.com/x?y=1'),
        filter: { types: ['job.*'], upstreams: ['prod'], tags: ['a', 'b'], jobids: ['j'] },
        headers: { 'X-Team': 'gis' },
        fold: true,
        timeoutMs: 1234,
      })
      const letters = anEndpoint(
        'letters',
        {},
        { format: 'email', url: null, mail: { ...mail, password: new Secret('geheim') } },
      )
      const made = [await add(ground, hook), await add(ground, letters)].map(revealed)
      expect(made[0]).toMatchObject({
        ...{ origin: 'api', name: 'hook', format: 'webhook', headers: { 'X-Team': 'gis' } },
        ...{ url: 'https://user:pass@example.com/x?y=1', filter: hook.filter },
        ...{ fold: true, timeoutMs: 1234, pausedUntil: null, lastDeliveredAt: null },
        health: { state: 'active', since: noon, reason: null, failures: 0, failuresSince: null },
      })
      expect(made[1]).toMatchObject({ mail: { ...mail, password: 'geheim' }, secret: undefined })
      await ground.reopen()
      await ground.sync()
      expect((await ground.store.listEndpoints()).map(revealed)).toEqual(made)
    })

    test('comes after those of the configuration, by name', async () => {
      const ground = await Ground.create(open)
      await add(ground, anEndpoint('m'))
      await add(ground, anEndpoint('a'))
      await ground.sync(anEndpoint('z'), anEndpoint('k'))
      await add(ground, anEndpoint('b'))
      const names = (await ground.store.listEndpoints()).map(({ spec }) => spec.name)
      expect(names).toEqual(['z', 'k', 'a', 'b', 'm'])
    })

    test('cannot have a name that is taken, also not one of the configuration', async () => {
      const ground = await Ground.create(open)
      await ground.sync(anEndpoint('ops'))
      const { id } = await add(ground, anEndpoint('hook'))
      for (const name of ['ops', 'hook']) {
        expect(await ground.store.addEndpoint(anEndpoint(name), ground.now)).toBeNull()
      }
      expect(await ground.store.listEndpoints()).toHaveLength(2)
      await ground.store.removeEndpoint(id, ground.now)
      expect((await add(ground, anEndpoint('hook'))).id).not.toBe(id)
    })

    test('gets what is committed while it exists, by the filter that it has then', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      const { id } = await add(ground, anEndpoint('hook', { types: ['job.watched'] }))
      await ground.register('j-2')
      await ground.look(key, [aDraft()])
      const changed = await ground.store.changeEndpoint(
        id,
        anEndpoint('hook', { types: ['job.stage.*'] }),
      )
      expect(changed?.spec.filter).toEqual({ types: ['job.stage.*'] })
      await ground.register('j-3')
      await ground.look(key, [aDraft()])
      expect(await ground.dueSeqs(id)).toEqual([2, 5])
      await ground.reopen()
      await ground.sync()
      await ground.look(key, [aDraft()])
      await ground.deliver(id, 5)
      expect(await ground.dueSeqs(id)).toEqual([2, 6])
    })

    test('is described anew, keeping its secret, its health and what is pending', async () => {
      const ground = await Ground.create(open)
      const { id, secret } = await add(ground, aWebhook('hook'))
      await ground.register('j-1')
      await makeFail(ground, id)
      const changed = await ground.store.changeEndpoint(
        id,
        aWebhook('hook', { url: new Secret('https://example.com/moved'), timeoutMs: 99 }),
      )
      expect(revealed(changed)).toMatchObject({
        ...{ id, url: 'https://example.com/moved', timeoutMs: 99, secret: secret?.reveal() },
        health: { state: 'failing', failures: 5 },
      })
      expect(await ground.dueSeqs(id)).toEqual([1])
      await ground.reopen()
      await ground.sync()
      expect(revealed(await find(ground, 'hook'))).toEqual(revealed(changed))
    })

    test('forgets the silence that its old receiver asked for when it moves, and only then', async () => {
      const ground = await Ground.create(open)
      const { id } = await add(ground, anEndpoint('hook'))
      await ground.register('j-1')
      const until = noon + 10 * minute
      const delivery = await ground.delivery(id, 1)
      await ground.store.recordAttempt(refused(delivery, noon, noon, until))
      const same = await ground.store.changeEndpoint(id, anEndpoint('hook', {}, { fold: true }))
      expect(same?.pausedUntil).toBe(until)
      const url = new Secret('https://example.com/moved')
      const moved = await ground.store.changeEndpoint(id, anEndpoint('hook', {}, { url }))
      expect(moved?.pausedUntil).toBeNull()
    })

    test('that is removed leaves nothing pending and gets nothing more; nothing changes it', async () => {
      const ground = await Ground.create(open)
      const { id } = await add(ground, aWebhook('hook'))
      const other = await add(ground, anEndpoint('other'))
      await ground.register('j-1')
      await ground.look(key, someDrafts(2))
      const first = await ground.delivery(id, 1)
      ground.now += minute
      await ground.store.removeEndpoint(id, ground.now)
      expect((await deliveries(ground, 'hook')).map(({ state }) => state)).toEqual(
        Array(3).fill('cancelled'),
      )
      await ground.register('j-2')
      expect(await ground.dueTimes(id)).toEqual([])
      expect(await ground.dueSeqs(other.id)).toEqual([1, 4])

      const { store, now } = ground
      expect(await store.changeEndpoint(id, aWebhook('hook'))).toBeNull()
      expect(await store.enableEndpoint(id, now)).toBeNull()
      expect(await store.disableEndpoint(id, 'x', now)).toBeNull()
      expect(await store.expireEndpoint(id, now)).toBeNull()
      expect(await store.noteSuccess(id, now)).toBeNull()
      expect(await store.rotateSecret(id, new Secret(another), now)).toBeNull()
      expect(await store.recordAttempt(delivered(first, now))).toBeNull()
      expect(await store.replay(aReplay(id), now)).toBe(0)
      expect((await deliveries(ground, 'hook')).map(({ state }) => state)).toEqual(
        Array(3).fill('cancelled'),
      )
      expect((await store.listEndpoints()).map(({ spec }) => spec.name)).toEqual(['other'])
    })

    test('makes way for a configured one of its name, and comes back with neither', async () => {
      const ground = await Ground.create(open)
      const made = await add(ground, aWebhook('ops'))
      await ground.register('j-1')
      const [ops] = await ground.sync(aWebhook('ops'))
      expect(ops).toMatchObject({ origin: 'config', health: { state: 'active' } })
      expect(ops?.id).not.toBe(made.id)
      expect(ops?.secret?.reveal()).not.toBe(made.secret?.reveal())
      expect(await ground.dueTimes(made.id)).toEqual([])
      expect(await ground.dueTimes(ops?.id ?? 0)).toEqual([])
      expect(await ground.sync()).toEqual([])
      await ground.reopen()
      expect(await ground.sync()).toEqual([])
    })
  })

  describe('the secret of an endpoint', () => {
    test('is the given one, else one that is made; where nothing is signed there is none', async () => {
      const ground = await Ground.create(open)
      const own = await add(ground, aWebhook('own', { secret: new Secret(given) }))
      const made = await add(ground, aWebhook('made'))
      const chat = await add(ground, anEndpoint('chat'))
      expect(own.secret?.reveal()).toBe(given)
      expect(made.secret?.reveal()).toMatch(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/)
      expect(chat.secret).toBeNull()
      await ground.reopen()
      await ground.sync()
      for (const { spec, secret } of [own, made, chat]) {
        expect((await find(ground, spec.name))?.secret?.reveal()).toBe(secret?.reveal())
      }
    })

    test('is rotated: the old one signs along for a day, over a restart too', async () => {
      const ground = await Ground.create(open)
      const { id } = await add(ground, aWebhook('hook', { secret: new Secret(given) }))
      ground.now += minute
      const rotated = await ground.store.rotateSecret(id, new Secret(another), ground.now)
      const expected = { secret: another, oldSecret: { secret: given, until: ground.now + day } }
      expect(revealed(rotated)).toMatchObject(expected)
      await ground.reopen()
      await ground.sync()
      expect(revealed(await find(ground, 'hook'))).toMatchObject(expected)
    })

    test('rotated twice leaves the one in between as the old one', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(aWebhook('ops'))
      const third = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX'
      await ground.store.rotateSecret(id, new Secret(another), ground.now)
      ground.now += minute
      await ground.store.rotateSecret(id, new Secret(third), ground.now)
      await ground.reopen()
      const [ops] = await ground.sync(aWebhook('ops'))
      expect(revealed(ops)).toMatchObject({
        ...{ secret: third, oldSecret: { secret: another, until: ground.now + day } },
      })
    })

    test('that the configuration takes over ends what was made and rotated', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(aWebhook('ops'))
      await ground.store.rotateSecret(id, new Secret(another), ground.now)
      const [ops] = await ground.sync(aWebhook('ops', { secret: new Secret(given) }))
      expect(revealed(ops)).toMatchObject({ id, secret: given, oldSecret: null })
    })
  })

  describe('how an endpoint is', () => {
    test('changes with the fifth failure in a row, in one transaction with the attempt', async () => {
      const ground = await Ground.create(open)
      const [ops, chat] = await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
      const id = ops?.id ?? 0
      await ground.register('j-1')
      const commits: (readonly string[])[] = []
      ground.store.onCommit(({ types }) => commits.push(types))
      await makeFail(ground, id)
      const failing = await find(ground, 'ops')
      expect(failing?.health).toEqual({
        ...{ state: 'failing', since: noon + 1000, reason: 'answered 500' },
        ...{ failures: 5, failuresSince: noon + 1000 },
      })
      expect(commits).toEqual([['endpoint.failing']])
      const [event] = await eventsOf(ground, 'ops')
      expect(event && textOf(event)).toMatchObject({
        ...{ source: '/endpoints/ops', subject: 'ops', time: '2026-01-05T12:00:05.000Z' },
        data: {
          seq: 2,
          previousSeq: null,
          change: {
            kind: 'endpoint',
            reason: 'answered 500',
            since: '2026-01-05T12:00:01.000Z',
            disablesAt: '2026-01-10T12:00:01.000Z',
          },
        },
      })
      // Never to itself, but to the others.
      expect(await ground.dueSeqs(id)).toEqual([1])
      expect(await ground.dueSeqs(chat?.id ?? 0)).toEqual([1, 2])
      await ground.reopen()
      const [again] = await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
      expect(revealed(again)).toEqual(revealed(failing))
      expect((await ground.store.findDelivery(1))?.attempts).toHaveLength(5)
    })

    test('is active again with a success, which says so once and when it was', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'), anEndpoint('chat'))
      await ground.register('j-1')
      await makeFail(ground, id)
      ground.now += minute
      await ground.deliver(id, 1)
      expect(await find(ground, 'ops')).toMatchObject({
        health: { state: 'active', since: ground.now, reason: null, failures: 0 },
        lastDeliveredAt: ground.now,
      })
      const events = await eventsOf(ground, 'ops')
      expect(events.map(({ type }) => type)).toEqual(['endpoint.failing', 'endpoint.recovered'])
      expect(events.map((event) => textOf(event).data.previousSeq)).toEqual([null, 2])
      await ground.register('j-2')
      ground.now += minute
      await ground.deliver(id, 4)
      expect(await eventsOf(ground, 'ops')).toHaveLength(2)
      expect((await find(ground, 'ops'))?.lastDeliveredAt).toBe(ground.now)
    })

    test('is shown by an attempt by hand as by any other', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      const { id: deliveryId } = await ground.delivery(id, 1)
      const unchanged = { state: 'unchanged', dueAt: null, pauseUntil: null } as const
      for (let n = 0; n < 5; n += 1) {
        await attempt(ground, id, {}, { deliveryId, after: unchanged, isByHand: true })
      }
      expect((await find(ground, 'ops'))?.health.state).toBe('failing')
    })

    test('is told of by noteSuccess, which is no delivery', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await makeFail(ground, id)
      ground.now += minute
      const endpoint = await ground.store.noteSuccess(id, ground.now)
      expect(endpoint).toMatchObject({ health: { state: 'active' }, lastDeliveredAt: null })
      const types = (await eventsOf(ground, 'ops')).map(({ type }) => type)
      expect(types).toEqual(['endpoint.failing', 'endpoint.recovered'])
      // Of one that is well or disabled it changes nothing.
      await ground.store.noteSuccess(id, ground.now)
      await ground.store.disableEndpoint(id, 'by hand', ground.now)
      const still = await ground.store.noteSuccess(id, ground.now)
      expect(still?.health).toMatchObject({ state: 'disabled', reason: 'by hand' })
      expect(await eventsOf(ground, 'ops')).toHaveLength(3)
    })

    test('ends with the answer that it is gone: what is pending is cancelled', async () => {
      const ground = await Ground.create(open)
      const [ops, chat] = await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
      const id = ops?.id ?? 0
      await ground.register('j-1')
      await ground.look(key, someDrafts(2))
      await ground.register('j-2')
      const gone = { verdict: 'endpoint_dead', status: 410, detail: 'answered 410' } as const
      const after = { state: 'cancelled', dueAt: null, pauseUntil: null } as const
      const endpoint = await attempt(ground, id, gone, { after })
      expect(endpoint?.health).toMatchObject({ state: 'disabled', reason: 'answered 410' })
      expect((await deliveries(ground, 'ops')).map(({ state }) => state)).toEqual(
        Array(4).fill('cancelled'),
      )
      expect((await eventsOf(ground, 'ops')).map(({ type }) => type)).toEqual(['endpoint.disabled'])
      expect(await ground.dueSeqs(chat?.id ?? 0)).toEqual([1, 4, 5])
    })

    test('ends after five days of failing, by the clock', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await makeFail(ground, id)
      const at = noon + 1000 + 5 * day
      expect((await ground.store.expireEndpoint(id, at - 1))?.health.state).toBe('failing')
      const disabled = await ground.store.expireEndpoint(id, at)
      expect(disabled?.health.state).toBe('disabled')
      await ground.store.expireEndpoint(id, at + 1)
      const types = (await eventsOf(ground, 'ops')).map(({ type }) => type)
      expect(types).toEqual(['endpoint.failing', 'endpoint.disabled'])
      expect(await ground.dueTimes(id)).toEqual([])
    })

    test('is not changed by an attempt that ends after it was disabled', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      const delivery = await ground.delivery(id, 1)
      await ground.store.disableEndpoint(id, 'by hand', ground.now)
      const after = await ground.store.recordAttempt(delivered(delivery, ground.now + 1))
      expect(after?.health).toMatchObject({ state: 'disabled', reason: 'by hand' })
      const [settled] = await deliveries(ground, 'ops')
      expect(settled).toMatchObject({ state: 'cancelled', attemptCount: 1 })
      expect(await eventsOf(ground, 'ops')).toHaveLength(1)
    })
  })

  describe('an endpoint that is disabled', () => {
    test('is owed nothing, before and after a restart, until it is enabled', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.store.disableEndpoint(id, 'by hand', ground.now)
      await ground.register('j-2')
      await ground.reopen()
      const [stored] = await ground.sync(anEndpoint('ops'))
      expect(stored).toMatchObject({ id, health: { state: 'disabled', reason: 'by hand' } })
      await ground.register('j-3')
      expect(await ground.dueTimes(id)).toEqual([])
      ground.now += minute
      const enabled = await ground.store.enableEndpoint(id, ground.now)
      expect(enabled?.health).toEqual({
        ...{ state: 'active', since: ground.now, reason: null },
        ...{ failures: 0, failuresSince: null },
      })
      const { jobid } = await ground.register('j-4')
      const owed = (await ground.due(id)).map(({ event }) => event.jobid)
      expect(owed).toEqual([jobid])
      expect((await deliveries(ground, 'ops')).map(({ state }) => state)).toEqual([
        'cancelled',
        'pending',
      ])
    })

    test('is told of once, with the reason', async () => {
      const ground = await Ground.create(open)
      const [ops, chat] = await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
      const id = ops?.id ?? 0
      await ground.store.disableEndpoint(id, 'by hand', ground.now)
      await ground.store.disableEndpoint(id, 'again', ground.now)
      const events = await eventsOf(ground, 'ops')
      expect(events.map((event) => textOf(event).data.change)).toEqual([
        {
          ...{ kind: 'endpoint', reason: 'by hand' },
          ...{ since: '2026-01-05T12:00:00.000Z', disablesAt: null },
        },
      ])
      expect((await find(ground, 'ops'))?.health.reason).toBe('by hand')
      expect(await ground.dueSeqs(chat?.id ?? 0)).toEqual([1])
    })

    test('and enabled again is not paused any more; enabling another one changes nothing', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      const until = noon + 60 * minute
      const delivery = await ground.delivery(id, 1)
      await ground.store.recordAttempt(refused(delivery, noon, until, until))
      const active = await ground.store.enableEndpoint(id, noon + 1)
      expect(active).toMatchObject({ pausedUntil: until, health: { since: noon, failures: 1 } })
      await ground.store.disableEndpoint(id, 'by hand', noon + 2)
      const enabled = await ground.store.enableEndpoint(id, noon + 3)
      expect(enabled).toMatchObject({ pausedUntil: null, health: { since: noon + 3 } })
    })

    test('loses what is pending however much it is', { timeout: 60_000 }, async () => {
      const ground = await Ground.create(open)
      const [ops, chat] = await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
      await ground.register('j-1')
      await ground.look(key, someDrafts(1200))
      await ground.store.disableEndpoint(ops?.id ?? 0, 'by hand', ground.now)
      const pending = (id = 0) => ground.store.countPending({ endpointId: id, maxCounted: 5000 })
      expect(await pending(ops?.id)).toBe(0)
      expect(await pending(chat?.id)).toBe(1202)
      await ground.sync(anEndpoint('ops'))
      expect(await pending(chat?.id)).toBe(0)
    })

    test('hands nothing out while what is pending is being cancelled', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      for (const n of upTo(1200)) void ground.register(`j-${n}`)
      await ground.store.checkWritable()
      const disabling = ground.store.disableEndpoint(id, 'by hand', ground.now)
      await ground.store.checkWritable()
      expect(await ground.due(id)).toEqual([])
      await disabling
    })

    test('and enabled before all is cancelled loses nothing that is new', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.look(key, someDrafts(1200))
      const disabling = ground.store.disableEndpoint(id, 'by hand', ground.now)
      const enabling = ground.store.enableEndpoint(id, ground.now)
      const fresh = await ground.register('j-2')
      expect((await enabling)?.health.state).toBe('active')
      // What changed it answers with how it is by then.
      expect((await disabling)?.health.state).toBe('active')
      const owed = (await ground.due(id)).map(({ event }) => event.jobid)
      expect(owed).toEqual([fresh.jobid])
    })
  })

  describe('the events of an endpoint', () => {
    test('go on from those of its predecessor of the same name', async () => {
      const ground = await Ground.create(open)
      const { id } = await add(ground, anEndpoint('hook'))
      await ground.store.disableEndpoint(id, 'one', ground.now)
      await ground.store.removeEndpoint(id, ground.now)
      const between = await add(ground, anEndpoint('hook'))
      await ground.store.removeEndpoint(between.id, ground.now)
      await ground.reopen()
      const next = await ground.syncOne(anEndpoint('hook'), anEndpoint('chat'))
      await ground.register('j-1')
      await ground.store.disableEndpoint(next, 'two', ground.now)
      const events = await eventsOf(ground, 'hook')
      expect(events.map(({ seq }) => seq)).toEqual([1, 3])
      expect(events.map((event) => textOf(event).data.previousSeq)).toEqual([null, 1])
    })
  })
}

function aReplay(endpointId: number) {
  return { endpointId, from: { after: 0 }, until: null, types: [] }
}
