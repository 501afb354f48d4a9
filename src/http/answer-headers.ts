/** The headers of answers that are worth a word. */
export const answerHeaders = {
  'X-Jobwatch-Cursor': {
    description:
      'Where the log was when this was read: the feed from there on, as after or Last-Event-ID, ' +
      'misses nothing and repeats nothing',
    required: true,
    schema: { type: 'string', examples: ['7f3a9c-1042'] },
  },
  'Retry-After': {
    description: 'When to try again, in seconds',
    schema: { type: 'string', pattern: String.raw`^\d+$`, examples: ['5'] },
  },
  Allow: {
    description: 'The methods that the path takes, beside method_not_allowed',
    schema: { type: 'string', examples: ['GET, HEAD, POST'] },
  },
  'WWW-Authenticate': {
    description: 'How to say who is asking',
    schema: { type: 'string', examples: ['Bearer realm="jobwatch"'] },
  },
  'Set-Cookie': {
    description: 'The cookie that stands for the token, or the end of it',
    required: true,
    schema: {
      type: 'string',
      examples: ['jobwatch=…; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict'],
    },
  },
} as const
export type HeaderName = keyof typeof answerHeaders
