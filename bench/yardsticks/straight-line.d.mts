export interface StraightLineOptions {
  readonly file: string
  readonly root: string
  readonly hook: string
  readonly intervalMs: number
  readonly batch: number
  readonly now?: () => number
}

export interface StraightLine {
  readonly streamUrl: string
  tick(): Promise<number>
  close(): Promise<void>
}

export function straightLine(options: StraightLineOptions): Promise<StraightLine>
