import { startApp } from '../helpers/app.ts'
import { runFeedSuite } from './suite.ts'

runFeedSuite('the feed of the daemon', ({ maxStreams = 32, tokens = [] } = {}) =>
  startApp({ config: () => ({ feed: { maxStreams }, api: { tokens } }) }),
)
