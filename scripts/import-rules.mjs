// Who may import whom in src/, in one table. ESLint shows a breach where it is written, and
// test/architecture.test.ts holds the whole tree against it.
import { posix } from 'node:path'

const basics = ['core/', 'clock.ts', 'log.ts', 'ids.ts', 'metrics.ts', 'request.ts']
const interfaces = ['store/store.ts', 'upstream/upstream.ts', 'notify/format.ts', 'notify/send.ts']
const appCommands = /^cli\/(run-app|commands\/(serve|demo|doctor))\.ts$/

/**
 * The first row whose `files` fits a file rules it. `imports` are files and folders below src/,
 * besides the file's own folder; `packages` are those of npm; `node` allows Node's own modules.
 * @type {{ files: RegExp, imports: string[], packages: string[], node: boolean }[]}
 */
const rows = [
  // The core is pure: plain data in, plain data out.
  { files: /^core\//, imports: [], packages: [], node: false },
  { files: /^clock\.ts$/, imports: ['core/'], packages: [], node: false },
  { files: /^log\.ts$/, imports: [], packages: ['pino'], node: false },
  { files: /^metrics\.ts$/, imports: ['core/'], packages: ['prom-client'], node: false },
  { files: /^(ids|version|disk)\.ts$/, imports: [], packages: [], node: true },
  { files: /^request\.ts$/, imports: ['core/', 'clock.ts'], packages: ['undici'], node: true },
  { files: /^endpoint-settings\.ts$/, imports: ['core/'], packages: ['zod'], node: false },
  {
    files: /^config\//,
    imports: ['core/', 'log.ts', 'endpoint-settings.ts'],
    packages: ['zod', 'yaml'],
    node: true,
  },
  // The three seams know the core and nothing of each other.
  { files: /^upstream\//, imports: basics, packages: ['undici'], node: true },
  { files: /^store\//, imports: basics, packages: ['better-sqlite3'], node: true },
  {
    files: /^notify\//,
    imports: basics,
    packages: ['undici', 'ipaddr.js', 'nodemailer'],
    node: true,
  },
  { files: /^frame-ring\.ts$/, imports: ['core/'], packages: [], node: false },
  {
    files: /^watched-job\.ts$/,
    imports: ['core/', 'store/store.ts'],
    packages: [],
    node: false,
  },
  // Loops know interfaces, never implementations.
  {
    files:
      /^(gate|looks|poller|discovery|dispatcher|lane|endpoints|feed|feed-reader|retention|storage-watch)\.ts$/,
    imports: [
      ...[...basics, ...interfaces],
      ...['gate.ts', 'looks.ts', 'poller.ts', 'frame-ring.ts', 'feed-reader.ts'],
      ...['watched-job.ts', 'dispatcher.ts', 'lane.ts'],
    ],
    packages: ['p-queue'],
    node: false,
  },
  {
    files: /^gauges\.ts$/,
    imports: [...basics, ...interfaces, 'gate.ts', 'feed.ts', 'disk.ts'],
    packages: [],
    node: false,
  },
  {
    files: /^http\//,
    imports: [
      ...['core/', 'clock.ts', 'log.ts', 'metrics.ts', 'store/store.ts'],
      ...['feed.ts', 'feed-reader.ts', 'endpoints.ts', 'endpoint-settings.ts'],
    ],
    packages: ['fastify', 'zod'],
    node: true,
  },
  // The commands have no use for it, and do not load its package.
  {
    files: /^client\/webhooks\.ts$/,
    imports: [],
    packages: ['standardwebhooks'],
    node: false,
  },
  {
    files: /^client\//,
    imports: ['core/ending.ts', 'http/schemas.ts', 'http/requests/'],
    packages: ['eventsource-parser'],
    node: true,
  },
  {
    files: appCommands,
    imports: [
      'core/',
      'app.ts',
      'cli/',
      'client/',
      'config/',
      'log.ts',
      'simulator/',
      'upstream/upstream.ts',
      'version.ts',
    ],
    packages: ['commander'],
    node: true,
  },
  // A backup is made beside the daemon, not by it.
  {
    files: /^cli\/commands\/backup\.ts$/,
    imports: ['cli/', 'config/', 'store/sqlite/backup.ts'],
    packages: ['commander'],
    node: true,
  },
  {
    files: /^cli\//,
    imports: [
      'core/',
      'cli/',
      'client/',
      'config/',
      'http/schemas.ts',
      'http/requests/',
      'version.ts',
    ],
    packages: ['commander', 'get-east-asian-width'],
    node: true,
  },
  // The page: what it shares with the rest is pure, and of the API it takes the types alone.
  {
    files: /^web\//,
    imports: ['core/', 'http/schemas.ts', 'http/requests/'],
    packages: ['preact'],
    node: false,
  },
  { files: /^simulator\//, imports: ['core/'], packages: [], node: true },
  {
    files: /^main\.ts$/,
    imports: ['core/', 'cli/', 'client/'],
    packages: ['commander'],
    node: true,
  },
]

/**
 * Why a file of src/ may not import what it names; null when it may.
 * @param {string} file path below src/, with forward slashes
 * @param {string} specifier what the import statement says
 * @returns {string | null}
 */
export function importFault(file, specifier) {
  // The composition root knows everything.
  if (file === 'app.ts') return null
  const row = rows.find(({ files }) => files.test(file))
  if (row === undefined) return `src/${file} has no row in scripts/import-rules.mjs`
  if (specifier.startsWith('node:')) {
    return row.node ? null : `src/${file} may not use Node's modules`
  }
  if (!specifier.startsWith('.')) {
    const isAllowed = row.packages.some(
      (name) => specifier === name || specifier.startsWith(`${name}/`),
    )
    return isAllowed ? null : `src/${file} may not import the package ${specifier}`
  }
  const target = posix.join(posix.dirname(file), specifier)
  const ownFolder = file.includes('/') ? `${file.split('/')[0]}/` : null
  const allowed = ownFolder === null ? row.imports : [...row.imports, ownFolder]
  const isAllowed = allowed.some((name) =>
    name.endsWith('/') ? target.startsWith(name) : target === name,
  )
  return isAllowed ? null : `src/${file} may not import src/${target}`
}
