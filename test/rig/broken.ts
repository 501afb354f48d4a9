import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** A text of the built daemon, and what stands in its place. */
interface Edit {
  readonly file: string
  readonly find: string
  readonly put: string
}

/** A daemon with one fault that the rig has to find. */
export interface Variant {
  readonly name: string
  readonly edits: readonly Edit[]
  /** Invariants that it breaks, each of which has to be reported. */
  readonly breaks: readonly string[]
  /** Left out of the usual tests, to save time; `RIG_VARIANTS=all` tries these too. */
  readonly isOnDemand?: boolean
  /** When it is killed, in ms: what faults need that to be seen. */
  readonly killedAtMs?: readonly number[]
}

const writer = 'store/sqlite/writer.js'

export const variants: readonly Variant[] = [
  {
    name: 'tells and acknowledges before it commits',
    edits: [
      {
        file: writer,
        find: 'this.#begin.run();',
        put: 'if (!this.#db.inTransaction) this.#begin.run();',
      },
      {
        file: writer,
        find: 'this.#commit.run();',
        put: `globalThis.late ??= setTimeout(() => {
                globalThis.late = null;
                if (this.#db.open && this.#db.inTransaction) this.#commit.run();
            }, 1500);`,
      },
    ],
    breaks: ['7 immutability'],
    killedAtMs: [2500, 4500],
  },
  {
    name: 'owes deliveries in a transaction of their own',
    edits: [
      {
        file: 'store/sqlite/store.js',
        find: '        outbox.owe(heads, at);\n        return {',
        put: `        setTimeout(() => writer.write(() => outbox.owe(heads, at)).catch(() => {}), 100);
        return {`,
      },
    ],
    breaks: ['9 at least once'],
    killedAtMs: [2500, 4500],
  },
  {
    name: 'resumes one event too early (>= for >)',
    edits: [
      {
        file: 'feed.js',
        find: "return resolveCursor(from === 'unreadable' ? null : from, bounds);",
        put: `const start = resolveCursor(from === 'unreadable' ? null : from, bounds);
    return { ...start, after: Math.max(0, start.after - 1) };`,
      },
    ],
    breaks: ['13 feed'],
  },
  {
    name: 'resumes one event too late',
    edits: [
      {
        file: 'feed.js',
        find: "return resolveCursor(from === 'unreadable' ? null : from, bounds);",
        put: `const start = resolveCursor(from === 'unreadable' ? null : from, bounds);
    return { ...start, after: Math.min(bounds.newest, start.after + 1) };`,
      },
    ],
    isOnDemand: true,
    breaks: ['13 feed'],
  },
  {
    name: 'keeps no order within a job',
    edits: [
      {
        file: 'store/sqlite/outbox.js',
        find: 'this.#sql.selectBlocker.get({ ...lane, seq }) !== undefined',
        put: 'false',
      },
    ],
    breaks: ['12 order per job'],
  },
  {
    name: 'gives every attempt an id of its own',
    edits: [
      {
        file: 'notify/send.js',
        find: 'signatureHeaders(event.id, body,',
        put: "signatureHeaders(event.id.replace('-', `.${String(at % 1000)}-`), body,",
      },
    ],
    breaks: ['7 immutability', '9 at least once', '10 nothing extra'],
  },
  {
    name: 'forgets when to try again',
    edits: [
      {
        file: 'store/sqlite/outbox.js',
        find: 'this.#sql.reschedule.run({ ...counts, dueAt: after.dueAt });',
        put: 'this.#sql.reschedule.run({ ...counts, dueAt: now });',
      },
    ],
    isOnDemand: true,
    breaks: ['11 retries'],
  },
  {
    name: 'takes any answer for a success',
    edits: [
      {
        file: 'notify/webhook.js',
        find: 'if (status >= 200 && status < 300)',
        put: 'if (status >= 200)',
      },
    ],
    isOnDemand: true,
    breaks: ['9 at least once'],
  },
  {
    name: 'takes what it has told for news again after a restart',
    edits: [
      {
        file: 'core/diff.js',
        find: 'return after.slice(same).filter((message) => {',
        put: `globalThis.told = (globalThis.told ?? 0) + 1;
    if (globalThis.told <= 20) return after;
    return after.slice(same).filter((message) => {`,
      },
    ],
    breaks: ['4 exactly once'],
    killedAtMs: [2500],
  },
  {
    name: 'asks on although the upstream wants silence',
    edits: [{ file: 'gate.js', find: 'queue.pause();', put: 'pausedUntil = 0;' }],
    isOnDemand: true,
    breaks: ['16 politeness'],
  },
  {
    name: 'forgets the fault that a look showed',
    edits: [
      {
        file: 'upstream/enterprise-admin/answer.js',
        find: 'if (answered !== jobid) {',
        put: 'if (answered === null) {',
      },
    ],
    isOnDemand: true,
    breaks: ['2 soundness'],
  },
]

/** A copy of the built daemon with that fault. The text to be replaced must be there, and only once. */
export async function buildBroken({ edits }: Pick<Variant, 'edits'>) {
  const folder = await mkdtemp(join(tmpdir(), 'jobwatch-broken-'))
  await cp('dist', join(folder, 'dist'), { recursive: true })
  await cp('migrations', join(folder, 'migrations'), { recursive: true })
  await cp('package.json', join(folder, 'package.json'))
  await symlink(resolve('node_modules'), join(folder, 'node_modules'))
  for (const { file, find, put } of edits) {
    const path = join(folder, 'dist', file)
    const [before, after, ...more] = (await readFile(path, 'utf8')).split(find)
    if (before === undefined || after === undefined || more.length > 0) {
      throw new Error(`${file} does not hold this once: ${find}`)
    }
    await writeFile(path, before + put + after)
  }
  return {
    program: join(folder, 'dist', 'main.js'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
