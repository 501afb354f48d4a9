import { eventTypes } from '../core/event.ts'
import type { EventAnswer, EventList } from '../http/schemas.ts'
import { Refusal } from './api.ts'
import type { Api } from './api.ts'
import { shareStream } from './share.ts'
import type { Share } from './share.ts'
import { writable } from './store.ts'
import type { Readable } from './store.ts'

/** How the page stands to the log. Times are epoch ms by the clock of the browser. */
export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'catching-up'; readonly behind: number }
  | { readonly kind: 'live' }
  /** Nothing has been heard since `since`. */
  | { readonly kind: 'reconnecting'; readonly since: number }

export interface StreamOptions {
  readonly api: Api
  /** Events in order of seq, each once. */
  readonly onEvents: (events: readonly EventAnswer[]) => void
  /** Events are missing that are no longer kept: what the page knows has to be read anew. */
  readonly onGap: () => void
}

/** The log from a position on, as it grows: for as long as the page is shown, and by and by when not. */
export interface Stream {
  readonly connection: Readable<Connection>
  /** Goes on from the id of an event; also from another one than before. */
  start(position: string): void
  stop(): void
}

/** What one tab tells the others of the same browser. */
export type Shared =
  | { readonly kind: 'event'; readonly event: EventAnswer }
  /** How it stands, and how far in the log the one who leads has come. */
  | { readonly kind: 'connection'; readonly connection: Connection; readonly seq: number }
  | { readonly kind: 'gap' }

/** The daemon says something every 15 s: after more than twice that nobody is there. */
const silenceMs = 40_000
const hiddenPauseMs = 60_000
const firstRetryMs = 500
const lastRetryMs = 15_000

/**
 * Follows the log. A browser has six connections for one daemon, so only one tab holds a stream and
 * tells the others; a hidden tab holds none, and asks once a minute instead.
 */
export function createStream({ api, onEvents, onGap }: StreamOptions): Stream {
  const connection = writable<Connection>({ kind: 'connecting' })
  let position: Position | null = null
  let source: EventSource | null = null
  let share: Share | null = null
  let retryMs = firstRetryMs
  let heardAt = Date.now()
  let timer: number | undefined
  let watchdog: number | undefined
  let waiting: EventAnswer[] = []
  let isFlushDue = false
  let catching: Promise<void> | null = null

  document.addEventListener('visibilitychange', wake)
  // A page that comes back out of the browser's memory has missed what happened.
  window.addEventListener('pageshow', ({ persisted }) => {
    if (persisted) wake()
  })
  window.addEventListener('online', () => {
    if (source === null && share?.isLeader() === true) connect()
  })

  function wake(): void {
    if (position === null) return
    leave()
    if (document.hidden) {
      pollHidden()
      return
    }
    // It has been away: what it shows may be old.
    if (connection.get().kind !== 'reconnecting') connection.set({ kind: 'connecting' })
    enter()
  }

  function enter(): void {
    heardAt = Date.now()
    share = shareStream<Shared>({
      onLead: connect,
      onFollow() {
        // It may have led until another took its place.
        closeSource()
        void catchUp()
      },
      onMessage: hear,
    })
    watchdog = window.setInterval(watch, silenceMs / 4)
  }

  function leave(): void {
    share?.leave()
    share = null
    closeSource()
    clearInterval(watchdog)
    clearTimeout(timer)
  }

  function closeSource(): void {
    source?.close()
    source = null
  }

  /** The one stream of this browser. */
  function connect(): void {
    if (position === null) return
    closeSource()
    clearTimeout(timer)
    const query = new URLSearchParams({ after: idOf(position) })
    const opened = new EventSource(`v1/events/stream?${query.toString()}`)
    source = opened
    // One that never answers has no error either.
    heardAt = Date.now()
    opened.onerror = () => {
      if (opened === source) void reconnect()
    }
    const on = (type: string, listener: (event: MessageEvent<string>) => void) => {
      opened.addEventListener(type, (event: MessageEvent<string>) => {
        heardAt = Date.now()
        listener(event)
      })
    }
    on('feed.hello', ({ data }) => {
      retryMs = firstRetryMs
      const { newest } = JSON.parse(data) as { newest: number }
      settle(newest)
    })
    on('feed.bookmark', () => setConnection({ kind: 'live' }))
    on('feed.gap', () => {
      share?.tell({ kind: 'gap' })
      onGap()
    })
    for (const type of eventTypes) {
      on(type, ({ data }) => {
        const event = JSON.parse(data) as EventAnswer
        share?.tell({ kind: 'event', event })
        take(event)
      })
    }
  }

  /** From the hello on it is live once it has come to where the log was then. */
  function settle(newest: number): void {
    const behind = newest - (position?.seq ?? 0)
    setConnection(behind > 0 ? { kind: 'catching-up', behind } : { kind: 'live' })
  }

  async function reconnect(): Promise<void> {
    closeSource()
    setConnection(lostNow())
    const pauseMs = retryMs * (0.75 + Math.random() / 2)
    retryMs = Math.min(retryMs * 2, lastRetryMs)
    // An EventSource does not say why it ended: a token may no longer be good.
    await api.get('v1/events?last=1').catch(() => undefined)
    // Meanwhile it may have been hidden, or have begun anew.
    if (source !== null || share?.isLeader() !== true) return
    clearTimeout(timer)
    timer = window.setTimeout(connect, pauseMs)
  }

  function lostNow(): Connection {
    const before = connection.get()
    return before.kind === 'reconnecting' ? before : { kind: 'reconnecting', since: heardAt }
  }

  /** Another tab has told something. */
  function hear(message: Shared): void {
    heardAt = Date.now()
    switch (message.kind) {
      case 'event':
        take(message.event)
        return
      case 'connection':
        connection.set(message.connection)
        if (position !== null && message.seq > position.seq) void catchUp()
        return
      case 'gap':
        onGap()
    }
  }

  /** Nothing has come for long, not even that nothing has: whoever should tell is no longer there. */
  function watch(): void {
    if (Date.now() - heardAt < silenceMs) {
      tellConnection()
      return
    }
    setConnection(lostNow())
    if (share?.isLeader() === true) connect()
    else share?.takeOver()
  }

  function setConnection(next: Connection): void {
    connection.set(next)
    tellConnection()
  }

  function tellConnection(): void {
    if (position === null) return
    share?.tell({ kind: 'connection', connection: connection.get(), seq: position.seq })
  }

  /** The log has no holes: a seq that is not the next one means that something was not heard. */
  function take(event: EventAnswer): void {
    const { seq } = event.data
    if (position === null || seq <= position.seq) return
    if (seq > position.seq + 1 && source === null) {
      void catchUp()
      return
    }
    accept([event])
  }

  function accept(events: readonly EventAnswer[]): void {
    const last = events.at(-1)
    if (last === undefined) return
    position = parsePosition(last.id)
    waiting.push(...events)
    const now = connection.get()
    if (now.kind === 'catching-up' && source !== null) {
      setConnection(
        now.behind > events.length ? behindBy(now.behind - events.length) : { kind: 'live' },
      )
    }
    if (isFlushDue) return
    isFlushDue = true
    // One drawing for all that comes at once; a hidden page has no frames.
    setTimeout(flush, 30)
  }

  function behindBy(behind: number): Connection {
    return { kind: 'catching-up', behind }
  }

  function flush(): void {
    isFlushDue = false
    const events = waiting
    waiting = []
    onEvents(events)
  }

  /** Reads what the log has after the position; what is told meanwhile is in it, or comes next. */
  function catchUp(): Promise<void> {
    catching ??= readOn().finally(() => (catching = null))
    return catching
  }

  async function readOn(): Promise<void> {
    for (;;) {
      const from = position
      if (from === null) return
      const query = new URLSearchParams({ after: idOf(from), limit: '1000' })
      const list = await api
        .get<EventList>(`v1/events?${query.toString()}`)
        .then(({ body }) => body)
        .catch((error: unknown) => {
          if (!(error instanceof Refusal)) setConnection(lostNow())
          return null
        })
      const now = position
      // It was stopped meanwhile, or started on another log.
      if (list === null || now?.epoch !== from.epoch) return
      if (list.gap) {
        onGap()
        return
      }
      if (list.items.length === 0) {
        if (connection.get().kind !== 'live') setConnection({ kind: 'live' })
        return
      }
      // Some of it may have been told meanwhile.
      accept(list.items.filter(({ data }) => data.seq > now.seq))
    }
  }

  function pollHidden(): void {
    clearTimeout(timer)
    timer = window.setTimeout(() => void catchUp().finally(pollHiddenOn), hiddenPauseMs)
  }

  function pollHiddenOn(): void {
    if (document.hidden && position !== null) pollHidden()
  }

  return {
    connection,
    start(id) {
      leave()
      waiting = []
      position = parsePosition(id)
      if (document.hidden) pollHidden()
      else enter()
    },
    stop() {
      leave()
      position = null
      connection.set({ kind: 'connecting' })
    },
  }
}

interface Position {
  readonly epoch: string
  readonly seq: number
}

/** `7f3a9c-1042`. */
function parsePosition(id: string): Position {
  const [epoch = '', seq = ''] = id.split('-')
  return { epoch, seq: Number(seq) }
}

function idOf({ epoch, seq }: Position): string {
  return `${epoch}-${seq}`
}
