import { existsSync, readSync } from 'node:fs'
import { Terminal } from '@xterm/headless'
import type { IPty } from '@lydell/node-pty'

const load = await import('@lydell/node-pty').then(
  ({ spawn }) => ({ spawn }),
  () => null,
)

/** Whether there are pseudo-terminals here: they come with a binary that not every platform has. */
export const hasPseudoTerminal = load !== null && process.platform !== 'win32'
if (!hasPseudoTerminal)
  process.stderr.write('skipped: tests in a terminal need a pseudo-terminal\n')

/** Whether there is a bash to give command lines to. */
export const hasBash = existsSync('/bin/bash')
if (!hasBash) process.stderr.write('skipped: tests in a shell need /bin/bash\n')

export interface TerminalOptions {
  readonly cols?: number
  readonly rows?: number
  readonly env?: Readonly<Record<string, string>>
  /** What it says it is; `xterm-256color` unless told. */
  readonly term?: string
  /** Whether a symbol that is asked to be an emoji (▶ + U+FE0F) takes two columns: terminals differ. */
  readonly wideEmojis?: boolean
}

/** What the package's types leave out. */
type Pty = IPty & { readonly fd: number; destroy(): void }

/** A program in a real pseudo-terminal, and the screen that shows what it writes. */
export class PseudoTerminal {
  readonly #pty: Pty
  readonly #screen: Terminal
  readonly #looks = new Set<() => void>()
  readonly #decoder = new TextDecoder()
  #raw = ''
  #isCursorVisible = true
  #isOver = false
  /** Resolves when the program has ended and all that it wrote is on the screen. */
  readonly ended: Promise<{ readonly code: number; readonly signal: number }>

  constructor(file: string, args: readonly string[], options: TerminalOptions = {}) {
    if (load === null) throw new Error('there is no pseudo-terminal here')
    const { cols = 80, rows = 24, env = {}, term = 'xterm-256color', wideEmojis = true } = options
    this.#screen = new Terminal({ cols, rows, scrollback: 1000, allowProposedApi: true })
    this.#screen.unicode.register(widthsOf(wideEmojis))
    this.#screen.unicode.activeVersion = 'today'
    for (const final of ['h', 'l']) {
      this.#screen.parser.registerCsiHandler({ prefix: '?', final }, (params) => {
        if (params.includes(25)) this.#isCursorVisible = final === 'h'
        return false
      })
    }
    const { PATH, HOME } = process.env
    const locale = { LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' }
    this.#pty = load.spawn(file, [...args], {
      ...{ cols, rows, name: term },
      env: { PATH, HOME, ...locale, ...env },
      // Bytes: the screen knows what to do with half a character.
      encoding: null,
    }) as Pty
    this.#pty.onData((bytes) => this.#take(bytes as unknown as Buffer))
    // What the program asks the terminal (where is the cursor?) is answered.
    this.#screen.onData((answer) => {
      if (!this.#isOver) this.#pty.write(answer)
    })
    this.ended = new Promise((resolve) => {
      this.#pty.onExit(({ exitCode: code, signal = 0 }) => {
        this.#isOver = true
        void this.#shown().then(() => {
          resolve({ code, signal })
          this.#look()
        })
      })
    })
  }

  get pid(): number {
    return this.#pty.pid
  }

  /** All that the program wrote, as it wrote it. */
  get raw(): string {
    return this.#raw
  }

  get isCursorVisible(): boolean {
    return this.#isCursorVisible
  }

  /** What is seen: the rows of the screen, without the blanks at their ends. */
  lines(): string[] {
    const { viewportY } = this.#screen.buffer.active
    return Array.from({ length: this.#screen.rows }, (_, row) => this.#row(viewportY + row).text)
  }

  /** What was ever seen and can be scrolled back to; a line that took several rows is one. */
  history(): string[] {
    const lines: string[] = []
    for (let row = 0; row < this.#screen.buffer.active.length; row += 1) {
      const { text, isWrapped } = this.#row(row)
      lines.push(isWrapped ? (lines.pop() ?? '') + text : text)
    }
    while (lines.at(-1) === '') lines.pop()
    return lines
  }

  /** Whether a line of what is seen was too long for a row. */
  get isWrapped(): boolean {
    const { viewportY } = this.#screen.buffer.active
    return Array.from({ length: this.#screen.rows }, (_, row) => viewportY + row).some(
      (row) => this.#row(row).isWrapped,
    )
  }

  /** The colours of the palette in which something is written in the first row that holds this. */
  coloursOf(text: string): readonly number[] {
    const { viewportY } = this.#screen.buffer.active
    const index = this.lines().findIndex((line) => line.includes(text))
    const line = this.#screen.buffer.active.getLine(viewportY + index)
    const colours = new Set<number>()
    for (let column = 0; column < this.#screen.cols; column += 1) {
      const cell = line?.getCell(column)
      if (cell?.isFgPalette() && cell.getChars().trim() !== '') colours.add(cell.getFgColor())
    }
    return [...colours]
  }

  /** In which column this begins, for each row of the screen that holds it. */
  columnsOf(text: string): readonly number[] {
    const { viewportY } = this.#screen.buffer.active
    return this.lines().flatMap((line, row) => {
      const index = line.indexOf(text)
      if (index < 0) return []
      let length = 0
      let column = 0
      for (; length < index; column += 1) {
        const cell = this.#screen.buffer.active.getLine(viewportY + row)?.getCell(column)
        // The second half of a wide character holds none.
        if (cell?.getWidth() !== 0) length += cell?.getChars().length || 1
      }
      return [column]
    })
  }

  /** Resolves with the screen once it is so; rejects when the program ends, or time does, before. */
  until(isSo: (lines: readonly string[]) => boolean): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        this.#looks.delete(look)
        clearTimeout(giveUp)
        finish()
      }
      const fail = (why: string): void =>
        settle(() => {
          const shown = this.history().join('\n')
          reject(new Error(`${why}, waiting for ${String(isSo)}; the terminal shows:\n${shown}`))
        })
      const look = (): void => {
        const lines = this.lines()
        if (isSo(lines)) settle(() => resolve(lines))
        else if (this.#isOver) fail('ended')
      }
      const giveUp = setTimeout(() => fail('gave up'), 20_000)
      this.#looks.add(look)
      look()
    })
  }

  /** Resolves once a row of the screen holds this. */
  shows(text: string | RegExp): Promise<readonly string[]> {
    return this.until((lines) =>
      lines.some((line) => (typeof text === 'string' ? line.includes(text) : text.test(line))),
    )
  }

  type(keys: string): void {
    this.#pty.write(keys)
  }

  /** Makes the window so large. Whatever was written for the old one is on the screen by then. */
  async resize(cols: number, rows: number): Promise<void> {
    this.#pty.pause()
    do await this.#shown()
    while (this.#takeWhatIsThere())
    this.#screen.resize(cols, rows)
    this.#pty.resize(cols, rows)
    this.#pty.resume()
    this.#look()
  }

  signal(name: NodeJS.Signals): void {
    this.#pty.kill(name)
  }

  /** Closes the window, which hangs up on whatever runs in it. */
  close(): void {
    if (!this.#isOver) this.#pty.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) {
      this.close()
      this.signal('SIGKILL')
      await this.ended
    }
    this.#screen.dispose()
  }

  #take(bytes: Buffer): void {
    this.#raw += this.#decoder.decode(bytes, { stream: true })
    this.#screen.write(bytes, () => this.#look())
  }

  /** Takes what can be read without waiting; false when that is nothing. */
  #takeWhatIsThere(): boolean {
    const bytes = Buffer.alloc(65_536)
    try {
      const count = readSync(this.#pty.fd, bytes)
      this.#take(bytes.subarray(0, count))
      return count > 0
    } catch {
      return false
    }
  }

  /** Resolves when the screen shows all that was taken. */
  #shown(): Promise<void> {
    return new Promise((resolve) => this.#screen.write('', resolve))
  }

  #row(index: number): { readonly text: string; readonly isWrapped: boolean } {
    const line = this.#screen.buffer.active.getLine(index)
    const isFollowed = this.#screen.buffer.active.getLine(index + 1)?.isWrapped ?? false
    return {
      text: line?.translateToString(!isFollowed) ?? '',
      isWrapped: line?.isWrapped ?? false,
    }
  }

  #look(): void {
    for (const look of [...this.#looks]) look()
  }
}

/** How many columns a character takes in the terminals of today. The screen's own table is of 2010. */
function widthsOf(wideEmojis: boolean) {
  const none = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]/u
  const wcwidth = (codePoint: number): 0 | 1 | 2 => {
    if (codePoint < 0x300) return 1
    const character = String.fromCodePoint(codePoint)
    if (none.test(character)) return 0
    return wide.test(character) ? 2 : 1
  }
  return {
    version: 'today',
    wcwidth,
    /** A word that holds the width and whether the character joins the one before. */
    charProperties(codePoint: number, before: number): number {
      const widthBefore = (before >> 1) & 3
      const width = wcwidth(codePoint)
      if (width > 0 || widthBefore === 0) return width << 1
      const joined = codePoint === 0xfe0f && wideEmojis ? 2 : widthBefore
      return (joined << 1) | 1
    },
  }
}

/** What takes two columns: emojis, and what Unicode calls wide (the blocks of East Asia). */
const wide =
  /(?!\p{Regional_Indicator})[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\u3247\u3250-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6b\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]/u
