import { widthOf } from './table.ts'

/** A row on the screen: how it is written, and what of that can be seen. */
export interface Row {
  readonly text: string
  readonly plain: string
}

/** The terminal, as far as drawing needs it. */
export interface Screen {
  readonly columns?: number | undefined
  readonly rows?: number | undefined
  /** Bytes that the terminal has not taken yet. */
  readonly writableLength?: number
  write(text: string): unknown
}

const defaultSize = { columns: 80, rows: 24 }

/**
 * Rows at the bottom of a terminal that are drawn over again and again. The cursor rests below them
 * and is never hidden, so that there is nothing to restore, however the program ends.
 */
export class LiveRegion {
  readonly #screen: Screen
  #drawn: readonly Row[] = []

  constructor(screen: Screen) {
    this.#screen = screen
  }

  /** Columns that may be used: terminals differ in what they do in the last one. */
  get columns(): number {
    return Math.max((this.#screen.columns || defaultSize.columns) - 1, 1)
  }

  /** Rows that may be used: the cursor has one for itself. */
  get rows(): number {
    return Math.max((this.#screen.rows || defaultSize.rows) - 1, 1)
  }

  /** Draws these rows in place of those before; left out while the terminal takes nothing. */
  draw(rows: readonly Row[]): void {
    if ((this.#screen.writableLength ?? 0) > 0) return
    this.finish(rows)
  }

  /** Draws these rows, however long that takes. */
  finish(rows: readonly Row[]): void {
    const up = this.#rowsTaken()
    // To the first row, each row over the old one, then away with what is left below.
    const back = up === 0 ? '' : `\r\x1b[${up}A`
    const lines = rows.map(({ text }) => `${text}\x1b[K\n`)
    this.#drawn = rows
    this.#screen.write(`${back}${lines.join('')}\x1b[J`)
  }

  /** Leaves what is drawn where it is; the next rows are drawn below whatever came since. */
  forget(): void {
    this.#drawn = []
  }

  /** A terminal that was made narrower has wrapped what was drawn. */
  #rowsTaken(): number {
    const columns = this.#screen.columns || defaultSize.columns
    return this.#drawn.reduce((sum, { plain }) => sum + rowsOf(plain, columns), 0)
  }
}

/** Rows that a text takes at this width; a wide character that does not fit goes to the next one. */
function rowsOf(plain: string, columns: number): number {
  let rows = 1
  let used = 0
  for (const character of plain) {
    const width = widthOf(character)
    if (used + width > columns) {
      rows += 1
      used = 0
    }
    used += width
  }
  return rows
}
