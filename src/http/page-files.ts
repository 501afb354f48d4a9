import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { AppError } from '../core/errors.ts'

/** A file of the page, ready to be sent. */
export interface PageFile {
  readonly type: string
  readonly content: Buffer
  /** The same in gzip, where that is smaller. */
  readonly gzipped: Buffer | null
  /** Its name changes with its content, so that browsers may keep it for good. */
  readonly isImmutable: boolean
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/**
 * All files of the built page by their path, `index.html` and `assets/…`; they are few and small.
 * Throws where the page has not been built.
 */
export function readPageFiles(folder: string): ReadonlyMap<string, PageFile> {
  if (!existsSync(join(folder, 'index.html'))) {
    throw new AppError('page_missing', `There is no page in ${folder}: run "npm run build"`)
  }
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => extname(path) in types)
  return new Map(paths.map((path) => [path, readPageFile(folder, path)]))
}

function readPageFile(folder: string, path: string): PageFile {
  const content = readFileSync(join(folder, path))
  const gzipped = gzipSync(content, { level: 9 })
  return {
    type: types[extname(path)] ?? 'application/octet-stream',
    content,
    gzipped: gzipped.length < content.length ? gzipped : null,
    isImmutable: path.startsWith('assets/'),
  }
}
