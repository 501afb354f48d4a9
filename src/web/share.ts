/** One of the tabs that share what a leader among them hears. */
export interface Share {
  isLeader(): boolean
  /** Tells the other tabs; only what a leader says is heard. */
  tell(message: unknown): void
  /** Becomes the leader although there is one, which no longer does its work. */
  takeOver(): void
  leave(): void
}

export interface ShareOptions<M> {
  /** This tab leads from now on. */
  readonly onLead: () => void
  /** Another tab leads; what it tells is heard from now on. */
  readonly onFollow: () => void
  readonly onMessage: (message: M) => void
}

const name = 'jobwatch-stream'

/**
 * Joins the tabs of this browser that have the page open: one at a time leads, and when it goes the
 * next takes its place. Browsers lend out locks to secure pages only (https, or this machine);
 * elsewhere every tab leads for itself.
 */
export function shareStream<M>({ onLead, onFollow, onMessage }: ShareOptions<M>): Share {
  if (!('locks' in navigator)) return alone(onLead)
  const { locks } = navigator
  const channel = new BroadcastChannel(name)
  const left = new AbortController()
  let isLeader = false
  let giveBack: () => void = () => undefined

  channel.onmessage = ({ data }: MessageEvent<M>) => {
    if (!isLeader) onMessage(data)
  }
  void ask({ ifAvailable: true }).then((hasLed) => {
    if (hasLed || left.signal.aborted) return
    onFollow()
    void ask({ signal: left.signal })
  })

  /** Resolves when this tab no longer leads, or to false where it could not begin to. */
  async function ask(options: LockOptions): Promise<boolean> {
    const lead = async (lock: Lock | null) => {
      if (lock === null || left.signal.aborted) return false
      isLeader = true
      onLead()
      await new Promise<void>((resolve) => (giveBack = resolve))
      return true
    }
    try {
      return await locks.request(name, options, lead)
    } catch {
      // It left while it waited, or another tab took over.
      if (isLeader && !left.signal.aborted) follow()
      return true
    }
  }

  function follow(): void {
    isLeader = false
    onFollow()
    void ask({ signal: left.signal })
  }

  return {
    isLeader: () => isLeader,
    tell(message) {
      if (isLeader) channel.postMessage(message)
    },
    takeOver() {
      if (!isLeader) void ask({ steal: true })
    },
    leave() {
      left.abort()
      isLeader = false
      channel.close()
      giveBack()
    },
  }
}

function alone(onLead: () => void): Share {
  let isHere = true
  queueMicrotask(() => {
    if (isHere) onLead()
  })
  return {
    isLeader: () => isHere,
    tell: () => undefined,
    takeOver: () => undefined,
    leave() {
      isHere = false
    },
  }
}
