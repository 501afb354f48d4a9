import { runFeedSuite } from '../feed/suite.ts'
import { feedGround } from './feed-ground.ts'

// What a process of its own could make different; the rest is run within this one.
runFeedSuite(
  'the feed of the built daemon',
  ({ maxStreams = 32, tokens = [] } = {}) => feedGround({ feed: { maxStreams }, api: { tokens } }),
  ['headers', 'limits', 'metrics', 'crowds'],
)
