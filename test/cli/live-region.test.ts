import xterm from '@xterm/headless'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LiveRegion } from '../../src/cli/live-region.ts'

/** A real terminal, but for the glass. */
class TestTerminal {
  readonly #terminal: xterm.Terminal
  writableLength = 0
  columns: number
  rows: number

  constructor(columns: number, rows: number) {
    this.columns = columns
    this.rows = rows
    const size = { cols: columns, rows, scrollback: 1000 }
    this.#terminal = new xterm.Terminal({ ...size, convertEol: true, allowProposedApi: true })
  }

  write(text: string): void {
    this.#terminal.write(text)
  }

  /** As a window system does it: first the terminal, then the program is told. */
  async resize(columns: number, rows: number): Promise<void> {
    await this.#settled()
    this.#terminal.resize(columns, rows)
    this.columns = columns
    this.rows = rows
  }

  /** Everything that can be seen or scrolled back to, without what is empty at the end. */
  async text(): Promise<string[]> {
    await this.#settled()
    const { active } = this.#terminal.buffer
    const lines: string[] = []
    for (let index = 0; index < active.length; index += 1) {
      const line = active.getLine(index)
      const text = line?.translateToString(true) ?? ''
      if (line?.isWrapped) lines.push((lines.pop() ?? '') + text)
      else lines.push(text)
    }
    while (lines.at(-1) === '') lines.pop()
    return lines
  }

  /** Where the cursor is: the number of lines above it. */
  async cursorLine(): Promise<number> {
    await this.#settled()
    const { baseY, cursorY } = this.#terminal.buffer.active
    return baseY + cursorY
  }

  #settled(): Promise<void> {
    return new Promise((resolve) => this.#terminal.write('', resolve))
  }
}

function rowsOf(...texts: readonly string[]) {
  return texts.map((plain) => ({ plain, text: `\x1b[32m${plain}\x1b[0m` }))
}

describe('a region at the bottom of a terminal', () => {
  test('is drawn in place of what it was, below what was there', async () => {
    const terminal = new TestTerminal(40, 10)
    terminal.write('$ jobwatch wait\n')
    const region = new LiveRegion(terminal)
    region.draw(rowsOf('one', 'two and more'))
    region.draw(rowsOf('1', 'two', 'three'))
    expect(await terminal.text()).toEqual(['$ jobwatch wait', '1', 'two', 'three'])
    region.draw(rowsOf('1'))
    expect(await terminal.text()).toEqual(['$ jobwatch wait', '1'])
    expect(await terminal.cursorLine()).toBe(2)
  })

  test('scrolls what was there up when it needs the room, and loses none of it', async () => {
    const terminal = new TestTerminal(40, 5)
    terminal.write('a\nb\nc\nd\n')
    const region = new LiveRegion(terminal)
    region.draw(rowsOf('1', '2', '3', '4'))
    region.draw(rowsOf('1', '2', '3', 'four'))
    expect(await terminal.text()).toEqual(['a', 'b', 'c', 'd', '1', '2', '3', 'four'])
  })

  test('is whole again after the terminal was made narrower and wider', async () => {
    const terminal = new TestTerminal(40, 10)
    terminal.write('above\n')
    const region = new LiveRegion(terminal)
    region.draw(rowsOf('x'.repeat(38), 'y'.repeat(30)))
    await terminal.resize(12, 10)
    region.draw(rowsOf('x', 'y'))
    expect(await terminal.text()).toEqual(['above', 'x', 'y'])
    await terminal.resize(40, 10)
    region.draw(rowsOf('x'.repeat(38), 'y'.repeat(30)))
    expect(await terminal.text()).toEqual(['above', 'x'.repeat(38), 'y'.repeat(30)])
  })

  test('begins anew below what came since when it is forgotten', async () => {
    const terminal = new TestTerminal(40, 10)
    const region = new LiveRegion(terminal)
    region.draw(rowsOf('one'))
    terminal.write('[1]+ Stopped\n$ fg\n')
    region.forget()
    region.draw(rowsOf('one'))
    region.draw(rowsOf('two'))
    expect(await terminal.text()).toEqual(['one', '[1]+ Stopped', '$ fg', 'two'])
  })

  test('is not drawn while the terminal takes nothing, but at the end it is', async () => {
    const terminal = new TestTerminal(40, 10)
    const region = new LiveRegion(terminal)
    terminal.writableLength = 1
    region.draw(rowsOf('one'))
    expect(await terminal.text()).toEqual([])
    region.finish(rowsOf('two'))
    expect(await terminal.text()).toEqual(['two'])
  })

  test('leaves a row to the cursor, and a column to those that wrap in the last one', () => {
    const region = new LiveRegion(new TestTerminal(40, 10))
    expect([region.columns, region.rows]).toEqual([39, 9])
  })

  test('has the usual size where the terminal tells none', () => {
    const region = new LiveRegion({ columns: 0, rows: 0, write: () => true })
    expect([region.columns, region.rows]).toEqual([79, 23])
  })

  test('never eats what is above it nor leaves anything behind, however widths change', async () => {
    const row = fc.string({
      unit: fc.constantFrom('a', 'b', ' ', 'é', '地', '図'),
      minLength: 1,
      maxLength: 40,
    })
    const step = fc.tuple(fc.integer({ min: 8, max: 50 }), fc.array(row, { maxLength: 4 }))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const terminal = new TestTerminal(50, 40)
        terminal.write('first line above\nsecond line above\n')
        const region = new LiveRegion(terminal)
        let drawn: string[] = []
        for (const [columns, texts] of steps) {
          await terminal.resize(columns, 40)
          drawn = texts.map((text) => `>${text}`.slice(0, Math.floor((columns - 1) / 2)).trimEnd())
          region.draw(rowsOf(...drawn))
        }
        expect(await terminal.text()).toEqual(['first line above', 'second line above', ...drawn])
      }),
      { numRuns: 200 },
    )
  })
})
